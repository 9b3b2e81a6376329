import type { HostConfig } from '#api/generated/types.ts'
import { formatGoDuration } from '#base/go-duration.ts'
import type { Recipe } from './recipe.ts'

type Value = string | number | bigint | boolean | readonly string[] | null | undefined

/** The words after `berth` that create and start such a container. */
export function runArguments(recipe: Recipe): string[] {
  const { config, image, entrypoint = [], command = [] } = recipe
  const [program, ...rest] = entrypoint
  const detached = config.AttachStdout !== true && config.AttachStderr !== true
  return [
    'run',
    ...(detached ? ['-d'] : []),
    ...words(basics(recipe)),
    ...words(health(recipe)),
    ...words(places(recipe)),
    ...words(limits(recipe.host)),
    ...words(security(recipe)),
    ...(recipe.entrypoint === undefined ? [] : [`--entrypoint=${program ?? ''}`]),
    image,
    ...rest,
    ...command,
  ]
}

type Flags = Readonly<Record<string, Value>>

/** What says nothing is left out; a list is a flag per element. */
function words(flags: Flags): string[] {
  return Object.entries(flags).flatMap(([name, value]) => {
    if (value === undefined || value === null || value === false || value === '' || value === 0) return []
    if (value === true) return [`--${name}`]
    const values = Array.isArray(value) ? (value as readonly string[]) : [String(value)]
    return values.map((text) => `--${name}=${text}`)
  })
}

function basics({ name, config, host, ...recipe }: Recipe): Flags {
  const { Name, MaximumRetryCount } = host.RestartPolicy ?? {}
  const retries = MaximumRetryCount ? `:${MaximumRetryCount}` : ''
  return {
    name,
    interactive: config.OpenStdin,
    tty: config.Tty,
    rm: host.AutoRemove,
    init: host.Init,
    restart: Name === undefined || Name === null || Name === 'no' ? '' : `${Name}${retries}`,
    hostname: recipe.hostname,
    domainname: config.Domainname,
    user: recipe.user,
    workdir: recipe.workdir,
    env: recipe.env,
    label: pairs(recipe.labels),
    annotation: pairs(host.Annotations),
    'stop-signal': recipe.stopSignal,
    'stop-timeout': config.StopTimeout,
    runtime: recipe.runtime,
    'log-driver': recipe.logging?.driver,
    'log-opt': pairs(recipe.logging?.options),
  }
}

function health({ healthcheck }: Recipe): Flags {
  if (healthcheck === undefined || healthcheck === null) return {}
  const [kind, ...test] = healthcheck.Test ?? []
  if (kind === 'NONE') return { 'no-healthcheck': true }
  return {
    'health-cmd': kind === 'CMD' ? test.map(quote).join(' ') : kind === 'CMD-SHELL' ? test[0] : '',
    'health-http': kind === 'HTTP' ? test[0] : '',
    'health-tcp': kind === 'TCP' ? test[0] : '',
    'health-interval': duration(healthcheck.Interval),
    'health-timeout': duration(healthcheck.Timeout),
    'health-start-period': duration(healthcheck.StartPeriod),
    'health-start-interval': duration(healthcheck.StartInterval),
    'health-retries': healthcheck.Retries,
  }
}

function places({ host, networks, exposed, anonymous, shmSize, ipc, cgroupns }: Recipe): Flags {
  const [only] = networks
  const plain = networks.length === 1 && only !== undefined
  return {
    network: plain ? [only.name] : networks.map(networkText),
    'network-alias': plain ? only.aliases : [],
    ip: plain ? only.ipv4 : '',
    ip6: plain ? only.ipv6 : '',
    publish: publishedPorts(host),
    'publish-all': host.PublishAllPorts,
    expose: exposed,
    dns: host.Dns,
    'dns-option': host.DnsOptions,
    'dns-search': host.DnsSearch,
    'add-host': host.ExtraHosts,
    link: host.Links,
    volume: [...(host.Binds ?? []), ...anonymous],
    mount: (host.Mounts ?? []).map(mountText),
    tmpfs: Object.entries(host.Tmpfs ?? {}).map(([path, options]) =>
      options === '' ? path : `${path}:${options}`,
    ),
    'volumes-from': host.VolumesFrom,
    'volume-driver': host.VolumeDriver,
    'shm-size': bytes(shmSize),
    ipc,
    pid: host.PidMode,
    uts: host.UTSMode,
    userns: host.UsernsMode,
    cgroupns,
    'cgroup-parent': host.CgroupParent,
    'storage-opt': pairs(host.StorageOpt),
  }
}

function limits(host: HostConfig): Flags {
  const rates = (list: HostConfig['BlkioDeviceReadBps']): string[] =>
    (list ?? []).map(({ Path, Rate }) => `${Path}:${Rate}`)
  return {
    memory: bytes(host.Memory),
    'memory-reservation': bytes(host.MemoryReservation),
    // The engine makes it twice the memory when nobody says anything.
    'memory-swap': host.MemorySwap === Number(host.Memory ?? 0) * 2 ? 0 : bytes(host.MemorySwap),
    'memory-swappiness': host.MemorySwappiness,
    cpus: host.NanoCpus ? Number(host.NanoCpus) / 1e9 : 0,
    'cpu-shares': host.CpuShares,
    'cpu-period': host.CpuPeriod,
    'cpu-quota': host.CpuQuota,
    'cpu-rt-period': host.CpuRealtimePeriod,
    'cpu-rt-runtime': host.CpuRealtimeRuntime,
    'cpuset-cpus': host.CpusetCpus,
    'cpuset-mems': host.CpusetMems,
    'pids-limit': host.PidsLimit,
    'oom-kill-disable': host.OomKillDisable,
    'oom-score-adj': host.OomScoreAdj,
    'blkio-weight': host.BlkioWeight,
    'blkio-weight-device': (host.BlkioWeightDevice ?? []).map(({ Path, Weight }) => `${Path}:${Weight}`),
    'device-read-bps': rates(host.BlkioDeviceReadBps),
    'device-write-bps': rates(host.BlkioDeviceWriteBps),
    'device-read-iops': rates(host.BlkioDeviceReadIOps),
    'device-write-iops': rates(host.BlkioDeviceWriteIOps),
    ulimit: (host.Ulimits ?? []).map(({ Name, Soft, Hard }) => `${Name}=${Soft}:${Hard}`),
  }
}

function security({ host }: Recipe): Flags {
  const bare = (list: readonly string[] | null | undefined): string[] =>
    (list ?? []).map((each) => each.replace(/^CAP_/, ''))
  const unconfined = host.MaskedPaths?.length === 0
  return {
    privileged: host.Privileged,
    'read-only': host.ReadonlyRootfs,
    'cap-add': bare(host.CapAdd),
    'cap-drop': bare(host.CapDrop),
    'group-add': host.GroupAdd,
    'security-opt': [...(host.SecurityOpt ?? []), ...(unconfined ? ['systempaths=unconfined'] : [])],
    sysctl: pairs(host.Sysctls),
    device: (host.Devices ?? []).map(
      ({ PathOnHost, PathInContainer, CgroupPermissions }) =>
        `${PathOnHost}:${PathInContainer}:${CgroupPermissions}`,
    ),
    'device-cgroup-rule': host.DeviceCgroupRules,
    gpus: (host.DeviceRequests ?? []).map(({ Count, DeviceIDs }) =>
      (DeviceIDs ?? []).length > 0
        ? `"device=${(DeviceIDs ?? []).join(',')}"`
        : Count === -1
          ? 'all'
          : String(Count),
    ),
  }
}

/** `[ip:]host:container/protocol`. */
export function publishedPorts(host: HostConfig): string[] {
  return Object.entries(host.PortBindings ?? {}).flatMap(([port, bindings]) =>
    (bindings ?? []).map(({ HostIp, HostPort }) => {
      const address = HostIp ? (HostIp.includes(':') ? `[${HostIp}]:` : `${HostIp}:`) : ''
      const inside = port.replace(/\/tcp$/, '')
      return HostPort || address !== '' ? `${address}${HostPort ?? ''}:${inside}` : inside
    }),
  )
}

function networkText({ name, aliases, ipv4, ipv6 }: Recipe['networks'][number]): string {
  const options = [
    ...aliases.map((alias) => `alias=${alias}`),
    ...(ipv4 === '' ? [] : [`ip=${ipv4}`]),
    ...(ipv6 === '' ? [] : [`ip6=${ipv6}`]),
  ]
  return options.length === 0 ? name : [`name=${name}`, ...options].join(',')
}

function mountText(mount: NonNullable<HostConfig['Mounts']>[number]): string {
  const { Type, Source, Target, ReadOnly, BindOptions, VolumeOptions, TmpfsOptions, ImageOptions } = mount
  const fields: readonly (readonly [string, Value])[] = [
    ['type', Type],
    ['source', Source],
    ['target', Target],
    ['readonly', ReadOnly],
    ['bind-propagation', BindOptions?.Propagation],
    ['bind-create-src', BindOptions?.CreateMountpoint],
    ['volume-nocopy', VolumeOptions?.NoCopy],
    ['volume-subpath', VolumeOptions?.Subpath],
    ['volume-driver', VolumeOptions?.DriverConfig?.Name],
    ...Object.entries(VolumeOptions?.DriverConfig?.Options ?? {}).map(
      ([key, value]) => ['volume-opt', `${key}=${value}`] as const,
    ),
    ...Object.entries(VolumeOptions?.Labels ?? {}).map(
      ([key, value]) => ['volume-label', `${key}=${value}`] as const,
    ),
    ['tmpfs-size', TmpfsOptions?.SizeBytes],
    ['tmpfs-mode', TmpfsOptions?.Mode ? TmpfsOptions.Mode.toString(8) : undefined],
    ['image-subpath', ImageOptions?.Subpath],
  ]
  return fields
    .filter(([, value]) => value !== undefined && value !== null && value !== '' && value !== false)
    .map(([key, value]) => csvField(value === true ? key : `${key}=${String(value)}`))
    .join(',')
}

function csvField(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function pairs(map: Readonly<Record<string, string>> | null | undefined): string[] {
  return Object.entries(map ?? {}).map(([key, value]) => `${key}=${value}`)
}

/** In the largest unit that leaves no rest. */
function bytes(count: number | bigint | null | undefined): string {
  const size = Number(count ?? 0)
  if (size <= 0) return size === 0 ? '' : String(size)
  const unit = [
    ['g', 30],
    ['m', 20],
    ['k', 10],
  ] as const
  const found = unit.find(([, power]) => size % 2 ** power === 0)
  return found === undefined ? String(size) : `${size / 2 ** found[1]}${found[0]}`
}

function duration(nanoseconds: number | bigint | null | undefined): string {
  return nanoseconds ? formatGoDuration(Number(nanoseconds)) : ''
}

/** A word for a shell, in quotes where it needs some. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
