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
  /** Hard limits of the daemon itself; asked rlimits are clamped to them. */
  readonly hardLimits: Readonly<Record<string, number>>
  readonly capabilities: readonly string[]
  readonly timeNamespaces: boolean
  /** Existing paths of the host among those to mask per cpu. */
  readonly thermalThrottlePaths: readonly string[]
  readonly architecture: string
}

/** A bind, volume, tmpfs or image mount in its final form. */
export interface SpecMount {
  readonly type: 'bind' | 'tmpfs'
  readonly source: string
  readonly destination: string
  readonly options: readonly string[]
}

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
  /** `private`, `host`, or a path to join. */
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
