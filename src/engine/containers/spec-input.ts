import type { HostConfig } from '#api/generated/types.ts'
import type {
  ProcessUser,
  Rlimit,
  SpecDevice,
  SpecInput,
  SpecMachine,
  SpecMount,
  SpecNamespaces,
  SpecResources,
  SpecSecurity,
  ThrottleDevice,
} from '#runtime/spec.ts'
import { processEnvironment } from './config/environment.ts'
import { parseSecurityOptions } from './config/security-options.ts'
import type { Container } from './container.ts'
import { networkModeOf } from './network-mode.ts'

export const INIT_PATH = '/sbin/docker-init'

/** Kinds of namespaces that a container may take from another one, as in /proc/PID/ns. */
export type SharedNamespace = 'pid' | 'ipc'

/** What the machine and other containers add to a container's own configuration. */
export interface SpecContext {
  readonly user: ProcessUser
  readonly machine: SpecMachine
  readonly mounts: readonly SpecMount[]
  readonly devices: readonly SpecDevice[]
  readonly cgroupsPath: string
  readonly hostname: string
  /** The container's interfaces that have no IPv6 address. */
  readonly withoutIpv6: readonly string[]
  /** Pid of the container named in `container:ID` of a namespace mode. */
  readonly pidOf: (ref: string, namespace: SharedNamespace) => number
  /** Device numbers of a block device of the host, for throttling. */
  readonly deviceNumber: (path: string) => { readonly major: number; readonly minor: number }
}

/** What decides about the process of a container; a build step has the same. */
type Confined = Pick<Container, 'id' | 'config' | 'hostConfig' | 'path' | 'args'>

/** The input of `buildSpec` for a container. */
export function specInput(container: Confined, context: SpecContext): SpecInput {
  const { config, hostConfig } = container
  const size = hostConfig.ConsoleSize ?? undefined
  const [rows = 0, columns = 0] = size ?? []
  return {
    id: container.id,
    hostname: context.hostname,
    domainname: config.Domainname ?? '',
    args: processArgs(container),
    env: processEnvironment(config, context.hostname),
    cwd: config.WorkingDir ?? '',
    user: context.user,
    tty: config.Tty === true,
    consoleSize: rows > 0 && columns > 0 ? { rows, columns } : undefined,
    mounts: context.mounts,
    resources: resourcesOf(hostConfig, context.deviceNumber),
    security: securityOf(hostConfig),
    namespaces: namespacesOf(container, context.machine, context.pidOf),
    sysctls: sysctlsOf(container, context.withoutIpv6),
    rlimits: rlimitsOf(hostConfig),
    devices: context.devices,
    readonlyRootfs: hostConfig.ReadonlyRootfs === true,
    shmSize: hostConfig.ShmSize ?? 67108864,
    cgroupsPath: context.cgroupsPath,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
    annotations: hostConfig.Annotations ?? {},
    machine: context.machine,
  }
}

function processArgs(container: Confined): string[] {
  const args = [container.path, ...container.args]
  return usesInit(container.hostConfig) ? [INIT_PATH, '--', ...args] : args
}

/** An init makes sense as pid 1 only. */
export function usesInit(hostConfig: HostConfig): boolean {
  return hostConfig.Init === true && (hostConfig.PidMode ?? '') === ''
}

export function securityOf(hostConfig: HostConfig): SpecSecurity {
  const { noNewPrivileges, seccomp, writableCgroups } = parseSecurityOptions(hostConfig.SecurityOpt ?? [])
  return {
    privileged: hostConfig.Privileged === true,
    capAdd: hostConfig.CapAdd ?? [],
    capDrop: hostConfig.CapDrop ?? [],
    noNewPrivileges: noNewPrivileges === true,
    writableCgroups,
    seccomp,
    maskedPaths: hostConfig.MaskedPaths ?? undefined,
    readonlyPaths: hostConfig.ReadonlyPaths ?? undefined,
  }
}

export function rlimitsOf(hostConfig: HostConfig): Rlimit[] {
  return (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
    type: `RLIMIT_${(Name ?? '').toUpperCase()}`,
    soft: Soft ?? 0,
    hard: Hard ?? Soft ?? 0,
  }))
}

/**
 * As Docker: a private network namespace lets everybody bind low ports and send pings. An interface without an IPv6
 * address has no IPv6 at all (CVE-2024-32473).
 */
function sysctlsOf(container: Confined, withoutIpv6: readonly string[]): Record<string, string> {
  const network = networkModeOf(container)
  const own = network !== 'host' && !network.startsWith('container:')
  return {
    ...(own
      ? { 'net.ipv4.ping_group_range': '0 2147483647', 'net.ipv4.ip_unprivileged_port_start': '0' }
      : {}),
    ...Object.fromEntries(withoutIpv6.map((name) => [`net.ipv6.conf.${name}.disable_ipv6`, '1'])),
    ...container.hostConfig.Sysctls,
  }
}

function namespacesOf(
  container: Confined,
  machine: SpecMachine,
  pidOf: SpecContext['pidOf'],
): SpecNamespaces {
  const { hostConfig } = container
  const mode = (text: string | null | undefined, kind: SharedNamespace): string => {
    if (text === 'host') return 'host'
    if (text?.startsWith('container:') === true)
      return `/proc/${pidOf(text.slice('container:'.length), kind)}/ns/${kind}`
    return 'private'
  }
  const ipc = hostConfig.IpcMode ?? ''
  const cgroup = hostConfig.CgroupnsMode || (machine.cgroupVersion === 'v2' ? 'private' : 'host')
  return {
    pid: mode(hostConfig.PidMode, 'pid'),
    ipc: ipc === 'none' ? 'none' : mode(ipc, 'ipc'),
    uts: hostConfig.UTSMode === 'host' ? 'host' : 'private',
    cgroup,
    network: networkModeOf(container) === 'host' ? 'host' : 'shim',
  }
}

type DeviceNumber = SpecContext['deviceNumber']

export function resourcesOf(hostConfig: HostConfig, deviceNumber: DeviceNumber): SpecResources {
  const throttle = (list: HostConfig['BlkioDeviceReadBps']): ThrottleDevice[] =>
    (list ?? []).map(({ Path, Rate }) => ({ ...deviceNumber(Path ?? ''), rate: Rate ?? 0 }))
  return {
    memory: hostConfig.Memory ?? undefined,
    memorySwap: hostConfig.MemorySwap ?? undefined,
    memoryReservation: hostConfig.MemoryReservation ?? undefined,
    memorySwappiness: hostConfig.MemorySwappiness ?? undefined,
    oomKillDisable: hostConfig.OomKillDisable ?? undefined,
    nanoCpus: hostConfig.NanoCpus ?? undefined,
    cpuShares: hostConfig.CpuShares ?? undefined,
    cpuPeriod: hostConfig.CpuPeriod ?? undefined,
    cpuQuota: hostConfig.CpuQuota ?? undefined,
    cpuRealtimePeriod: hostConfig.CpuRealtimePeriod ?? undefined,
    cpuRealtimeRuntime: hostConfig.CpuRealtimeRuntime ?? undefined,
    cpusetCpus: hostConfig.CpusetCpus ?? undefined,
    cpusetMems: hostConfig.CpusetMems ?? undefined,
    pidsLimit: hostConfig.PidsLimit ?? undefined,
    blkioWeight: hostConfig.BlkioWeight ?? undefined,
    blkioWeightDevice: (hostConfig.BlkioWeightDevice ?? []).map(({ Path, Weight }) => ({
      ...deviceNumber(Path ?? ''),
      weight: Weight ?? 0,
    })),
    blkioDeviceReadBps: throttle(hostConfig.BlkioDeviceReadBps),
    blkioDeviceWriteBps: throttle(hostConfig.BlkioDeviceWriteBps),
    blkioDeviceReadIOps: throttle(hostConfig.BlkioDeviceReadIOps),
    blkioDeviceWriteIOps: throttle(hostConfig.BlkioDeviceWriteIOps),
    deviceCgroupRules: hostConfig.DeviceCgroupRules ?? undefined,
  }
}
