import type { DeviceMapping, HostConfig, PortMap } from '#api/generated/types.ts'
import { defaultMaskedPaths, defaultReadonlyPaths } from '#runtime/mounts.ts'

/** What the daemon's configuration says about containers that say nothing. */
export interface ContainerSettings {
  readonly log: {
    readonly driver: string
    /** Of that driver. */
    readonly options: Readonly<Record<string, string>>
    /** Of every json-file log, whichever driver is the default. */
    readonly rotation: Readonly<Record<'max-size' | 'max-file', string>>
  }
  /** A process 1 that reaps. */
  readonly init: boolean
  /** Bytes of /dev/shm; 0: Docker's 64 MiB. */
  readonly shmSize: number
  readonly ipcMode: 'private' | 'shareable'
  /** Undefined: private where the machine has one hierarchy of control groups. */
  readonly cgroupnsMode: 'private' | 'host' | undefined
  readonly ulimits: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[]
  /** Seconds between the signal that asks a process to end and the one that ends it; -1: no limit. */
  readonly stopTimeout: number
  readonly noNewPrivileges: boolean
  readonly dns: readonly string[]
  readonly dnsOptions: readonly string[]
  readonly dnsSearch: readonly string[]
}

/** And what the machine says. */
export interface ContainerDefaults extends Partial<ContainerSettings> {
  readonly machine: {
    readonly cgroupVersion: 'v1' | 'v2'
    /** Masked along with the paths that every machine has. */
    readonly thermalThrottlePaths?: readonly string[]
  }
  readonly runtime?: string | undefined
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
    ...network(given, defaults),
    ...security(given, defaults),
    ...limits(given, defaults),
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

/** The description lists Docker's own; plugins have names of their own. */
type LogType = NonNullable<NonNullable<HostConfig['LogConfig']>['Type']>

/** The daemon's choices are shown with the container, as its own options are. */
function logConfig({ LogConfig: given }: HostConfig, { log }: ContainerDefaults): HostConfig['LogConfig'] {
  const type: string = given?.Type || log?.driver || 'json-file'
  const rotation = type === 'json-file' ? log?.rotation : {}
  const configured = type === log?.driver ? log.options : {}
  return { Type: type as LogType, Config: { ...rotation, ...configured, ...given?.Config } }
}

function namespaces(given: HostConfig, defaults: ContainerDefaults): HostConfig {
  return {
    CgroupnsMode: cgroupnsMode(given, defaults),
    IpcMode: given.IpcMode || defaults.ipcMode || 'private',
    Cgroup: given.Cgroup ?? '',
    PidMode: given.PidMode ?? '',
    UTSMode: given.UTSMode ?? '',
    UsernsMode: given.UsernsMode ?? '',
  }
}

/** As Docker: on version 1 a privileged container sees the groups of the host, whatever others get. */
function cgroupnsMode(given: HostConfig, { machine, cgroupnsMode: configured }: ContainerDefaults) {
  const v2 = machine.cgroupVersion === 'v2'
  const usual = configured ?? (v2 ? 'private' : 'host')
  return given.CgroupnsMode || (given.Privileged === true && !v2 ? 'host' : usual)
}

function network(given: HostConfig, defaults: ContainerDefaults): HostConfig {
  const mode = given.NetworkMode ?? ''
  return {
    NetworkMode: mode === '' || mode === 'default' ? 'bridge' : mode,
    PortBindings: given.PortBindings ? portBindings(given.PortBindings) : null,
    PublishAllPorts: given.PublishAllPorts ?? false,
    Dns: listOr(given.Dns, defaults.dns),
    DnsOptions: listOr(given.DnsOptions, defaults.dnsOptions),
    DnsSearch: listOr(given.DnsSearch, defaults.dnsSearch),
    ExtraHosts: given.ExtraHosts ?? null,
    Links: given.Links ?? null,
  }
}

/** What was given, even when it is empty, unless there is a default. */
function listOr(
  given: readonly string[] | null | undefined,
  configured: readonly string[] | undefined,
): string[] | null {
  const usual = configured === undefined || configured.length === 0 ? null : [...configured]
  return given === undefined || given === null || given.length === 0
    ? (usual ?? (given as null) ?? null)
    : [...given]
}

function portBindings(given: PortMap): PortMap {
  return Object.fromEntries(
    Object.entries(given).map(([port, bindings]) => [
      port,
      bindings?.map(({ HostIp, HostPort }) => ({ HostIp: HostIp ?? '', HostPort: HostPort ?? '' })) ?? null,
    ]),
  )
}

function security(given: HostConfig, { machine, noNewPrivileges }: ContainerDefaults): HostConfig {
  const privileged = given.Privileged ?? false
  const shared = privileged || given.IpcMode === 'host' || given.PidMode === 'host'
  const said = given.SecurityOpt ?? []
  const silent = !said.some((option) => option.startsWith('no-new-privileges'))
  const asked = noNewPrivileges === true && silent ? [...said, 'no-new-privileges'] : said
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

function limits(given: HostConfig, { ulimits = [] }: ContainerDefaults): HostConfig {
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
    Ulimits: withDefaults(given.Ulimits, ulimits),
  }
}

/** The container's own, and those of the daemon that it does not name. */
function withDefaults(
  given: HostConfig['Ulimits'],
  configured: ContainerSettings['ulimits'],
): HostConfig['Ulimits'] {
  const more = configured.filter(({ Name }) => !(given ?? []).some((own) => own.Name === Name))
  return more.length === 0 ? (given ?? null) : [...(given ?? []), ...more]
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
    BlkioWeightDevice: given.BlkioWeightDevice ?? null,
    BlkioDeviceReadBps: given.BlkioDeviceReadBps ?? null,
    BlkioDeviceWriteBps: given.BlkioDeviceWriteBps ?? null,
    BlkioDeviceReadIOps: given.BlkioDeviceReadIOps ?? null,
    BlkioDeviceWriteIOps: given.BlkioDeviceWriteIOps ?? null,
    Devices: given.Devices?.map(device) ?? null,
    DeviceCgroupRules: given.DeviceCgroupRules ?? null,
    DeviceRequests: given.DeviceRequests ?? null,
    CpuCount: given.CpuCount ?? 0,
    CpuPercent: given.CpuPercent ?? 0,
    IOMaximumIOps: given.IOMaximumIOps ?? 0,
    IOMaximumBandwidth: given.IOMaximumBandwidth ?? 0,
  }
}

function device({ PathOnHost, PathInContainer, CgroupPermissions }: DeviceMapping): DeviceMapping {
  return {
    PathOnHost: PathOnHost ?? '',
    PathInContainer: PathInContainer || PathOnHost || '',
    CgroupPermissions: CgroupPermissions || 'rwm',
  }
}

function isFilled(value: object | null | undefined): boolean {
  return value !== null && value !== undefined && Object.keys(value).length > 0
}
