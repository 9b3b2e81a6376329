import type { HostConfig, PortMap } from '#api/generated/types.ts'
import { defaultMaskedPaths, defaultReadonlyPaths } from '#runtime/mounts.ts'

/** What the daemon's configuration and the machine say about containers that say nothing. */
export interface ContainerDefaults {
  readonly machine: {
    readonly cgroupVersion: 'v1' | 'v2'
    /** Masked along with the paths that every machine has. */
    readonly thermalThrottlePaths?: readonly string[]
  }
  /** Rotation of json-file logs; size in bytes, 0: unlimited. */
  readonly log?: { readonly maxSize: number; readonly maxFiles: number } | undefined
  readonly runtime?: string | undefined
  readonly shmSize?: number | undefined
  readonly ipcMode?: string | undefined
  readonly init?: boolean | undefined
}

const SHM_SIZE = 64 * 1024 * 1024

/** Bounds of cpu.shares in the kernel. */
const MIN_SHARES = 2
const MAX_SHARES = 262_144

/**
 * The host configuration with every field that Docker emits, and the daemon's choices in place of what was not said.
 * Clients index into it without looking, so lists and numbers are there even when empty.
 */
export function completeHostConfig(given: HostConfig, defaults: ContainerDefaults): HostConfig {
  return {
    ...general(given, defaults),
    ...namespaces(given, defaults),
    ...network(given),
    ...security(given, defaults),
    ...limits(given),
    ...deviceLimits(given),
    ...optional(given),
    Runtime: given.Runtime || defaults.runtime || 'runc',
    ...(defaults.init === true && typeof given.Init !== 'boolean' ? { Init: true } : {}),
  }
}

/** These are left out when they were not said. */
function optional(given: HostConfig): HostConfig {
  const { Annotations, StorageOpt, Tmpfs, Sysctls, Mounts, Init } = given
  return {
    ...(isFilled(Annotations) ? { Annotations } : {}),
    ...(isFilled(StorageOpt) ? { StorageOpt } : {}),
    ...(isFilled(Tmpfs) ? { Tmpfs } : {}),
    ...(isFilled(Sysctls) ? { Sysctls } : {}),
    ...(isFilled(Mounts) ? { Mounts } : {}),
    ...(typeof Init === 'boolean' ? { Init } : {}),
  }
}

function general(given: HostConfig, defaults: ContainerDefaults): HostConfig {
  return {
    Binds: given.Binds ?? null,
    ContainerIDFile: given.ContainerIDFile ?? '',
    LogConfig: logConfig(given, defaults),
    RestartPolicy: {
      Name: given.RestartPolicy?.Name || 'no',
      MaximumRetryCount: given.RestartPolicy?.MaximumRetryCount ?? 0,
    },
    AutoRemove: given.AutoRemove ?? false,
    VolumeDriver: given.VolumeDriver ?? '',
    VolumesFrom: given.VolumesFrom ?? null,
    ConsoleSize: given.ConsoleSize ?? [0, 0],
    ShmSize: given.ShmSize || defaults.shmSize || SHM_SIZE,
    GroupAdd: given.GroupAdd ?? null,
    OomScoreAdj: given.OomScoreAdj ?? 0,
    ReadonlyRootfs: given.ReadonlyRootfs ?? false,
    Isolation: given.Isolation ?? '',
  }
}

/** The daemon's rotation is shown with the container, as its own options are. Other drivers have none. */
function logConfig({ LogConfig: given }: HostConfig, { log }: ContainerDefaults): HostConfig['LogConfig'] {
  const type = given?.Type || 'json-file'
  const rotation =
    type === 'json-file' && log !== undefined && log.maxSize > 0
      ? { 'max-size': String(log.maxSize), 'max-file': String(log.maxFiles) }
      : {}
  return { Type: type, Config: { ...rotation, ...given?.Config } }
}

function namespaces(given: HostConfig, defaults: ContainerDefaults): HostConfig {
  return {
    CgroupnsMode: given.CgroupnsMode || (defaults.machine.cgroupVersion === 'v2' ? 'private' : 'host'),
    IpcMode: given.IpcMode || defaults.ipcMode || 'private',
    Cgroup: given.Cgroup ?? '',
    PidMode: given.PidMode ?? '',
    UTSMode: given.UTSMode ?? '',
    UsernsMode: given.UsernsMode ?? '',
  }
}

function network(given: HostConfig): HostConfig {
  const mode = given.NetworkMode ?? ''
  return {
    NetworkMode: mode === '' || mode === 'default' ? 'bridge' : mode,
    PortBindings: portBindings(given.PortBindings ?? {}),
    PublishAllPorts: given.PublishAllPorts ?? false,
    Dns: given.Dns ?? null,
    DnsOptions: given.DnsOptions ?? null,
    DnsSearch: given.DnsSearch ?? null,
    ExtraHosts: given.ExtraHosts ?? null,
    Links: given.Links ?? null,
  }
}

function portBindings(given: PortMap): PortMap {
  return Object.fromEntries(
    Object.entries(given).map(([port, bindings]) => [
      port,
      bindings?.map(({ HostIp, HostPort }) => ({ HostIp: HostIp ?? '', HostPort: HostPort ?? '' })) ?? null,
    ]),
  )
}

function security(given: HostConfig, { machine }: ContainerDefaults): HostConfig {
  const privileged = given.Privileged ?? false
  const shared = privileged || given.IpcMode === 'host' || given.PidMode === 'host'
  const asked = given.SecurityOpt ?? []
  const options = shared && !asked.includes('label=disable') ? [...asked, 'label=disable'] : asked
  return {
    Privileged: privileged,
    CapAdd: given.CapAdd ?? null,
    CapDrop: given.CapDrop ?? null,
    SecurityOpt: options.length === 0 ? (given.SecurityOpt ?? null) : options,
    MaskedPaths:
      given.MaskedPaths ??
      (privileged ? null : [...defaultMaskedPaths, ...(machine.thermalThrottlePaths ?? [])]),
    ReadonlyPaths: given.ReadonlyPaths ?? (privileged ? null : [...defaultReadonlyPaths]),
  }
}

function limits(given: HostConfig): HostConfig {
  const memory = given.Memory ?? 0
  return {
    ...cpuLimits(given),
    Memory: memory,
    CgroupParent: given.CgroupParent ?? '',
    MemoryReservation: given.MemoryReservation ?? 0,
    MemorySwap: given.MemorySwap || (memory > 0 ? memory * 2 : 0),
    MemorySwappiness: given.MemorySwappiness ?? null,
    OomKillDisable: given.OomKillDisable ?? false,
    PidsLimit: given.PidsLimit && given.PidsLimit > 0 ? given.PidsLimit : null,
    Ulimits: given.Ulimits ?? null,
  }
}

function cpuLimits(given: HostConfig): HostConfig {
  const shares = given.CpuShares ?? 0
  return {
    CpuShares: shares > 0 ? Math.min(Math.max(shares, MIN_SHARES), MAX_SHARES) : shares,
    NanoCpus: given.NanoCpus ?? 0,
    CpuPeriod: given.CpuPeriod ?? 0,
    CpuQuota: given.CpuQuota ?? 0,
    CpuRealtimePeriod: given.CpuRealtimePeriod ?? 0,
    CpuRealtimeRuntime: given.CpuRealtimeRuntime ?? 0,
    CpusetCpus: given.CpusetCpus ?? '',
    CpusetMems: given.CpusetMems ?? '',
  }
}

function deviceLimits(given: HostConfig): HostConfig {
  return {
    BlkioWeight: given.BlkioWeight ?? 0,
    BlkioWeightDevice: given.BlkioWeightDevice ?? [],
    BlkioDeviceReadBps: given.BlkioDeviceReadBps ?? [],
    BlkioDeviceWriteBps: given.BlkioDeviceWriteBps ?? [],
    BlkioDeviceReadIOps: given.BlkioDeviceReadIOps ?? [],
    BlkioDeviceWriteIOps: given.BlkioDeviceWriteIOps ?? [],
    Devices: (given.Devices ?? []).map(({ PathOnHost, PathInContainer, CgroupPermissions }) => ({
      PathOnHost: PathOnHost ?? '',
      PathInContainer: PathInContainer || PathOnHost || '',
      CgroupPermissions: CgroupPermissions || 'rwm',
    })),
    DeviceCgroupRules: given.DeviceCgroupRules ?? null,
    DeviceRequests: given.DeviceRequests ?? null,
    CpuCount: given.CpuCount ?? 0,
    CpuPercent: given.CpuPercent ?? 0,
    IOMaximumIOps: given.IOMaximumIOps ?? 0,
    IOMaximumBandwidth: given.IOMaximumBandwidth ?? 0,
  }
}

function isFilled(value: object | null | undefined): boolean {
  return value !== null && value !== undefined && Object.keys(value).length > 0
}
