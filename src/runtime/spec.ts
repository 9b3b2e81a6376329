import { EngineError } from '#base/errors.ts'
import { boundingSet, processCapabilities } from './capabilities.ts'
import { deviceNodes, deviceRules } from './devices.ts'
import { defaultMaskedPaths, defaultReadonlyPaths, linuxMounts, rootfsPropagation } from './mounts.ts'
import { linuxNamespaces, splitSysctls } from './namespaces.ts'
import type { Linux, Process, RuntimeSpec, Seccomp } from './oci-runtime-spec.ts'
import { linuxResources } from './resources.ts'
import { clampRlimits, posixRlimits } from './rlimits.ts'
import { customSeccomp } from './seccomp-profile.ts'
import { defaultSeccomp } from './seccomp.ts'

/**
 * From a container's configuration to an OCI runtime-spec, as a pure function (OCI runtime-spec 1.2, config-linux.md).
 * Everything that needs the machine is an input.
 */
export interface SpecInput {
  readonly id: string
  readonly hostname: string
  readonly domainname: string
  /** Path and arguments of the process. */
  readonly args: readonly string[]
  /** Final environment, `KEY=value`. */
  readonly env: readonly string[]
  readonly cwd: string
  readonly user: ProcessUser
  readonly tty: boolean
  readonly consoleSize?: { readonly rows: number; readonly columns: number } | undefined
  readonly mounts: readonly SpecMount[]
  readonly resources: SpecResources
  readonly security: SpecSecurity
  readonly namespaces: SpecNamespaces
  readonly sysctls: Readonly<Record<string, string>>
  readonly rlimits: readonly Rlimit[]
  readonly devices: readonly SpecDevice[]
  readonly readonlyRootfs: boolean
  readonly shmSize: number
  readonly cgroupsPath: string
  readonly oomScoreAdj: number
  readonly annotations: Readonly<Record<string, string>>
  readonly machine: SpecMachine
}

/** The process of an exec; what is not said here is the container's own. */
export interface ExecInput {
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly cwd: string
  readonly user: ProcessUser
  readonly tty: boolean
  readonly consoleSize?: { readonly rows: number; readonly columns: number } | undefined
  /** The container's, with `privileged` also for a privileged exec. */
  readonly security: SpecSecurity
  readonly rlimits: readonly Rlimit[]
  readonly oomScoreAdj: number
  readonly machine: SpecMachine
}

/** Resolved from the image's own /etc/passwd and /etc/group; ids below 2^31. */
export interface ProcessUser {
  readonly uid: number
  readonly gid: number
  readonly additionalGids: readonly number[]
  readonly home: string
}

export interface SpecMachine {
  readonly cgroupVersion: 'v1' | 'v2'
  readonly cpus: number
  /** What the daemon can raise its hard limits to, by Docker's names (`nofile`); asked rlimits are clamped to them. */
  readonly hardLimits: Readonly<Record<string, number>>
  readonly capabilities: readonly string[]
  readonly timeNamespaces: boolean
  /** Existing paths of the host among those to mask per cpu. */
  readonly thermalThrottlePaths: readonly string[]
  /** As OCI image configs say it: `amd64`, `arm64`. */
  readonly architecture: string
  /** Release as in uname(2), for the conditions in seccomp profiles. */
  readonly kernel?: string | undefined
  /** Lowest oom_score_adj that the daemon may give; -1000 with CAP_SYS_RESOURCE. */
  readonly minOomScoreAdj?: number | undefined
}

/** A bind, volume, tmpfs or image mount in its final form. */
export interface SpecMount {
  readonly type: 'bind' | 'tmpfs'
  readonly source: string
  readonly destination: string
  readonly options: readonly string[]
}

/** `type` is `nofile` or `RLIMIT_NOFILE`; -1 or Infinity: unlimited. */
export interface Rlimit {
  readonly type: string
  readonly soft: number
  readonly hard: number
}

export interface SpecDevice {
  readonly path: string
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
  readonly fileMode: number
  readonly uid: number
  readonly gid: number
  /** Subset of `rwm`. */
  readonly access: string
}

export interface SpecNamespaces {
  /** `private`, `host`, or a path to join; ipc also `none` (private without /dev/shm). */
  readonly pid: string
  readonly ipc: string
  readonly uts: string
  readonly cgroup: string
  /** `shim`: the network namespace that the shim made or joined; `host`: none. */
  readonly network: 'shim' | 'host'
}

export interface SpecSecurity {
  readonly privileged: boolean
  readonly capAdd: readonly string[]
  readonly capDrop: readonly string[]
  readonly noNewPrivileges: boolean
  /** Whether its control groups are mounted writable; undefined: where it is privileged. */
  readonly writableCgroups?: boolean | undefined
  /** `default`, `unconfined`, or the text of a profile in Docker's format. */
  readonly seccomp: string
  readonly maskedPaths?: readonly string[] | undefined
  readonly readonlyPaths?: readonly string[] | undefined
}

/** Units as in Docker's HostConfig: bytes, nano-cpus, microseconds. */
export interface SpecResources {
  readonly memory?: number | undefined
  readonly memorySwap?: number | undefined
  readonly memoryReservation?: number | undefined
  readonly memorySwappiness?: number | undefined
  readonly oomKillDisable?: boolean | undefined
  readonly nanoCpus?: number | undefined
  readonly cpuShares?: number | undefined
  readonly cpuPeriod?: number | undefined
  readonly cpuQuota?: number | undefined
  readonly cpuRealtimePeriod?: number | undefined
  readonly cpuRealtimeRuntime?: number | undefined
  readonly cpusetCpus?: string | undefined
  readonly cpusetMems?: string | undefined
  readonly pidsLimit?: number | undefined
  readonly blkioWeight?: number | undefined
  readonly blkioWeightDevice?:
    | readonly { readonly major: number; readonly minor: number; readonly weight: number }[]
    | undefined
  readonly blkioDeviceReadBps?: readonly ThrottleDevice[] | undefined
  readonly blkioDeviceWriteBps?: readonly ThrottleDevice[] | undefined
  readonly blkioDeviceReadIOps?: readonly ThrottleDevice[] | undefined
  readonly blkioDeviceWriteIOps?: readonly ThrottleDevice[] | undefined
  readonly deviceCgroupRules?: readonly string[] | undefined
}

export interface ThrottleDevice {
  readonly major: number
  readonly minor: number
  readonly rate: number
}

/** The lowest version whose fields we use; older runtimes read it as well. */
const OCI_VERSION = '1.0.2'

/**
 * The `config.json` of a container. Sysctls of the network are not in it: they belong to the shim, see `splitSysctls`.
 * Mounts of /etc/hosts and the like must come with `ro` when the root filesystem is read-only. Fails with
 * `invalid_argument` for what the machine or Docker's rules do not allow.
 */
export function buildSpec(input: SpecInput): RuntimeSpec {
  const { namespaces, readonlyRootfs } = input
  return {
    ociVersion: OCI_VERSION,
    process: buildExecProcess(input),
    root: { path: 'rootfs', readonly: readonlyRootfs },
    ...(namespaces.uts === 'private' ? { hostname: input.hostname } : {}),
    mounts: linuxMounts({
      mounts: input.mounts,
      privileged: input.security.privileged,
      writableCgroups: input.security.writableCgroups ?? input.security.privileged,
      ipc: namespaces.ipc,
      shmSize: input.shmSize,
    }),
    ...(isEmpty(input.annotations) ? {} : { annotations: input.annotations }),
    linux: linux(input),
  }
}

/** What an exec runs, as `DIR/exec/ID.json` (native/PROTOCOL.md §2); also the process of a container. */
export function buildExecProcess(input: ExecInput): Process {
  const { user, tty, consoleSize, security, machine } = input
  refuseNul(input)
  const rlimits = posixRlimits(clampRlimits(input.rlimits, machine.hardLimits).rlimits)
  return {
    terminal: tty,
    ...(tty && consoleSize ? { consoleSize: { height: consoleSize.rows, width: consoleSize.columns } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: input.args,
    env: withHome(input.env, user.home),
    cwd: input.cwd || '/',
    capabilities: processCapabilities(boundingSet(security, machine.capabilities), user.uid),
    ...(rlimits.length > 0 ? { rlimits } : {}),
    noNewPrivileges: security.noNewPrivileges,
    oomScoreAdj: Math.max(input.oomScoreAdj, machine.minOomScoreAdj ?? -1000),
  }
}

/** The runtime and the kernel would take what comes before the NUL for the whole. */
function refuseNul({ args, env, cwd }: ExecInput): void {
  const texts = [
    ['an argument of the process', args],
    ['an environment variable', env],
    ['the working directory', [cwd]],
  ] as const
  const [found] = texts.find(([, values]) => values.some((value) => value.includes('\0'))) ?? []
  if (found === undefined) return
  throw new EngineError('invalid_argument', `${found} must not contain a NUL byte`, {
    code: 'PROCESS_INVALID',
  })
}

function linux(input: SpecInput): Linux {
  const { security, namespaces, machine, devices, resources } = input
  const sysctl = {
    ...(input.domainname !== '' && namespaces.uts === 'private'
      ? { 'kernel.domainname': input.domainname }
      : {}),
    ...splitSysctls(input.sysctls, namespaces).spec,
  }
  const propagation = rootfsPropagation(input.mounts)
  const filter = seccomp(input)
  return {
    namespaces: linuxNamespaces(namespaces, machine.timeNamespaces),
    devices: deviceNodes(devices),
    cgroupsPath: input.cgroupsPath,
    resources: {
      devices: deviceRules(security.privileged, devices, resources.deviceCgroupRules ?? []),
      ...linuxResources(resources, machine.cgroupVersion),
    },
    ...(isEmpty(sysctl) ? {} : { sysctl }),
    ...(filter === undefined ? {} : { seccomp: filter }),
    ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
    ...hiddenPaths(security, machine),
  }
}

/** A privileged container hides nothing, whatever else was asked. */
function hiddenPaths(
  security: SpecSecurity,
  machine: SpecMachine,
): Pick<Linux, 'maskedPaths' | 'readonlyPaths'> {
  if (security.privileged) return { maskedPaths: [], readonlyPaths: [] }
  return {
    maskedPaths: security.maskedPaths ?? [...defaultMaskedPaths, ...machine.thermalThrottlePaths],
    readonlyPaths: security.readonlyPaths ?? defaultReadonlyPaths,
  }
}

/** Privileged turns the default profile off, but not one that was asked for. */
function seccomp({ security, machine }: SpecInput): Seccomp | undefined {
  const bounding = boundingSet(security, machine.capabilities)
  const { architecture } = machine
  switch (security.seccomp) {
    case 'unconfined':
      return undefined
    case 'default':
      return security.privileged ? undefined : defaultSeccomp(architecture, bounding)
    default:
      return customSeccomp(security.seccomp, { architecture, kernel: machine.kernel ?? '0.0', bounding })
  }
}

/** Said here so that no runtime needs to read the image's passwd file for it. */
function withHome(env: readonly string[], home: string): readonly string[] {
  return env.some((entry) => entry.startsWith('HOME=')) ? env : [...env, `HOME=${home || '/'}`]
}

function isEmpty(record: object): boolean {
  return Object.keys(record).length === 0
}
