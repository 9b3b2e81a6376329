/**
 * The parts of the OCI runtime-spec 1.2 that we write (config.md, config-linux.md). A document: keys are spelled as the
 * specification does, and it is ready for `JSON.stringify`.
 */
export interface RuntimeSpec {
  readonly ociVersion: string
  readonly process: Process
  readonly root: { readonly path: string; readonly readonly: boolean }
  readonly hostname?: string
  readonly mounts: readonly Mount[]
  readonly annotations?: Readonly<Record<string, string>>
  readonly linux: Linux
}

/** config.md "Process"; also the whole of an exec's process file. */
export interface Process {
  readonly terminal: boolean
  readonly consoleSize?: { readonly height: number; readonly width: number }
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] }
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly cwd: string
  readonly capabilities: Capabilities
  readonly rlimits?: readonly PosixRlimit[]
  readonly noNewPrivileges: boolean
  readonly oomScoreAdj?: number
}

export interface Capabilities {
  readonly bounding: readonly string[]
  readonly effective: readonly string[]
  readonly permitted: readonly string[]
  readonly inheritable: readonly string[]
  readonly ambient: readonly string[]
}

/** An unsigned 64-bit number; above 2^53 it is raw JSON text, because a double would round it. */
export type Uint64 = number | { readonly rawJSON: string }

export interface PosixRlimit {
  readonly type: string
  readonly soft: Uint64
  readonly hard: Uint64
}

export interface Mount {
  readonly destination: string
  readonly type: string
  readonly source: string
  readonly options: readonly string[]
}

export interface Linux {
  readonly namespaces: readonly Namespace[]
  readonly devices: readonly Device[]
  readonly cgroupsPath: string
  readonly resources: LinuxResources
  readonly sysctl?: Readonly<Record<string, string>>
  readonly seccomp?: Seccomp
  readonly rootfsPropagation?: string
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
}

export type NamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'cgroup' | 'time'

export interface Namespace {
  readonly type: NamespaceType
  readonly path?: string
}

export interface Device {
  readonly path: string
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
  readonly fileMode: number
  readonly uid: number
  readonly gid: number
}

/** Absent `type`, `major` or `minor`: all of them. */
export interface DeviceRule {
  readonly allow: boolean
  readonly type?: 'a' | 'b' | 'c'
  readonly major?: number
  readonly minor?: number
  readonly access: string
}

/** What `update` takes as well; every field that is absent is left as it is. */
export interface LinuxResources {
  readonly devices?: readonly DeviceRule[]
  readonly memory?: {
    readonly limit?: number
    readonly reservation?: number
    readonly swap?: number
    readonly swappiness?: number
    readonly disableOOMKiller?: boolean
  }
  readonly cpu?: {
    readonly shares?: number
    readonly quota?: number
    readonly period?: number
    readonly realtimeRuntime?: number
    readonly realtimePeriod?: number
    readonly cpus?: string
    readonly mems?: string
  }
  readonly pids?: { readonly limit: number }
  readonly blockIO?: {
    readonly weight?: number
    readonly weightDevice?: readonly WeightDevice[]
    readonly throttleReadBpsDevice?: readonly Throttle[]
    readonly throttleWriteBpsDevice?: readonly Throttle[]
    readonly throttleReadIOPSDevice?: readonly Throttle[]
    readonly throttleWriteIOPSDevice?: readonly Throttle[]
  }
}

interface Throttle {
  readonly major: number
  readonly minor: number
  readonly rate: number
}

interface WeightDevice {
  readonly major: number
  readonly minor: number
  readonly weight: number
}

/** config-linux.md "Seccomp". */
export interface Seccomp {
  readonly defaultAction: string
  readonly defaultErrnoRet?: number
  readonly architectures: readonly string[]
  readonly flags?: readonly string[]
  readonly listenerPath?: string
  readonly listenerMetadata?: string
  readonly syscalls: readonly SeccompRule[]
}

/** Several rules for one name: any of them may match. Several arguments in one rule: all of them must. */
export interface SeccompRule {
  readonly names: readonly string[]
  readonly action: string
  readonly errnoRet?: number
  readonly args?: readonly SeccompArgument[]
}

export interface SeccompArgument {
  readonly index: number
  /** For `SCMP_CMP_MASKED_EQ` the mask; `valueTwo` is what must be left. */
  readonly value: number
  readonly valueTwo?: number
  readonly op: string
}
