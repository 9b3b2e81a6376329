import { Document } from 'yaml'
import { formatGoDuration } from '#base/go-duration.ts'
import type { Recipe } from './recipe.ts'
import { publishedPorts } from './run-arguments.ts'

/** A Compose file whose services are such containers; their networks and named volumes are there already. */
export function composeFile(recipes: readonly Recipe[]): string {
  const networks = recipes.flatMap(({ networks: all }) => all.map(({ name }) => name)).filter(isNetwork)
  const volumes = recipes.flatMap(namedVolumes)
  const file = kept({
    services: Object.fromEntries(recipes.map((recipe) => [recipe.name, service(recipe)])),
    networks: external(networks),
    volumes: external(volumes),
  })
  // As version 1.1, in which words like "no" would be something else without quotes.
  return new Document(file, { version: '1.1', aliasDuplicateObjects: false }).toString({ lineWidth: 0 })
}

function external(names: readonly string[]): Record<string, object> {
  return Object.fromEntries([...new Set(names)].sort().map((name) => [name, { external: true }]))
}

function isNetwork(name: string): boolean {
  return !['host', 'none'].includes(name) && !name.startsWith('container:')
}

function service(recipe: Recipe): Record<string, unknown> {
  const { config, host } = recipe
  return kept({
    image: recipe.image,
    container_name: recipe.name,
    entrypoint: literal(recipe.entrypoint),
    command: literal(recipe.command),
    ...identity(recipe),
    environment: literal(recipe.env),
    labels: literalMap(recipe.labels),
    annotations: literalMap(host.Annotations ?? {}),
    ...places(recipe),
    ...limits(recipe),
    healthcheck: healthcheck(recipe),
    logging:
      recipe.logging === undefined
        ? undefined
        : kept({ driver: recipe.logging.driver, options: recipe.logging.options }),
    restart: restart(host.RestartPolicy),
    init: host.Init,
    stop_signal: recipe.stopSignal,
    stop_grace_period: config.StopTimeout ? `${config.StopTimeout}s` : undefined,
    stdin_open: config.OpenStdin,
    tty: config.Tty,
    runtime: recipe.runtime,
  })
}

function identity({ host, config, hostname, user, workdir, ipc, cgroupns }: Recipe): Record<string, unknown> {
  return {
    hostname,
    domainname: config.Domainname,
    user,
    working_dir: workdir,
    privileged: host.Privileged,
    read_only: host.ReadonlyRootfs,
    cap_add: bare(host.CapAdd),
    cap_drop: bare(host.CapDrop),
    group_add: host.GroupAdd,
    security_opt: host.SecurityOpt,
    sysctls: host.Sysctls,
    ipc,
    pid: host.PidMode,
    uts: host.UTSMode,
    userns_mode: host.UsernsMode,
    cgroup: cgroupns,
    cgroup_parent: host.CgroupParent,
  }
}

function places({ host, networks, exposed, anonymous, shmSize }: Recipe): Record<string, unknown> {
  const [first] = networks
  const shared = first !== undefined && !isNetwork(first.name)
  const joined = networks.map(({ name, aliases, ipv4, ipv6 }) => {
    const settings = kept({ aliases, ipv4_address: ipv4, ipv6_address: ipv6 })
    return [name, Object.keys(settings).length === 0 ? null : settings] as const
  })
  return {
    network_mode: shared ? first.name : first === undefined ? 'bridge' : undefined,
    networks: shared ? undefined : Object.fromEntries(joined),
    ports: publishedPorts(host),
    expose: exposed,
    dns: host.Dns,
    dns_opt: host.DnsOptions,
    dns_search: host.DnsSearch,
    extra_hosts: host.ExtraHosts,
    volumes: [...(literal(host.Binds ?? []) ?? []), ...anonymous, ...mounts(host.Mounts)],
    volumes_from: host.VolumesFrom?.map((name) => `container:${name}`),
    tmpfs: Object.entries(host.Tmpfs ?? {}).map(([path, options]) =>
      options === '' ? path : `${path}:${options}`,
    ),
    devices: (host.Devices ?? []).map(
      ({ PathOnHost, PathInContainer, CgroupPermissions }) =>
        `${PathOnHost}:${PathInContainer}:${CgroupPermissions}`,
    ),
    device_cgroup_rules: host.DeviceCgroupRules,
    shm_size: shmSize,
    storage_opt: host.StorageOpt,
  }
}

function limits({ host }: Recipe): Record<string, unknown> {
  const ulimits = (host.Ulimits ?? []).map(
    ({ Name, Soft, Hard }) => [Name, { soft: Soft, hard: Hard }] as const,
  )
  return {
    mem_limit: host.Memory,
    mem_reservation: host.MemoryReservation,
    memswap_limit: host.MemorySwap === Number(host.Memory ?? 0) * 2 ? undefined : host.MemorySwap,
    mem_swappiness: host.MemorySwappiness,
    cpus: host.NanoCpus ? Number(host.NanoCpus) / 1e9 : undefined,
    cpu_shares: host.CpuShares,
    cpu_period: host.CpuPeriod,
    cpu_quota: host.CpuQuota,
    cpuset: host.CpusetCpus,
    pids_limit: host.PidsLimit,
    oom_kill_disable: host.OomKillDisable,
    oom_score_adj: host.OomScoreAdj,
    ulimits: Object.fromEntries(ulimits),
  }
}

function mounts(list: Recipe['host']['Mounts']): object[] {
  return (list ?? []).map(({ Type, Source, Target, ReadOnly, VolumeOptions, TmpfsOptions, BindOptions }) =>
    kept({
      type: Type,
      source: Source,
      target: Target,
      read_only: ReadOnly,
      bind: kept({ propagation: BindOptions?.Propagation, create_host_path: BindOptions?.CreateMountpoint }),
      volume: kept({ nocopy: VolumeOptions?.NoCopy, subpath: VolumeOptions?.Subpath }),
      tmpfs: kept({ size: TmpfsOptions?.SizeBytes, mode: TmpfsOptions?.Mode }),
    }),
  )
}

/** Names, not paths. */
function namedVolumes({ host }: Recipe): string[] {
  const bound = (host.Binds ?? []).flatMap((bind) => (bind.startsWith('/') ? [] : [bind.split(':')[0] ?? '']))
  const mounted = (host.Mounts ?? []).flatMap(({ Type, Source }) =>
    Type === 'volume' && Source ? [Source] : [],
  )
  return [...bound, ...mounted]
}

function healthcheck({ healthcheck: check }: Recipe): unknown {
  if (check === undefined || check === null) return undefined
  if (check.Test?.[0] === 'NONE') return { disable: true }
  const time = (nanoseconds: number | bigint | null | undefined): string | undefined =>
    nanoseconds ? formatGoDuration(Number(nanoseconds)) : undefined
  return kept({
    test: literal(check.Test ?? undefined),
    interval: time(check.Interval),
    timeout: time(check.Timeout),
    start_period: time(check.StartPeriod),
    start_interval: time(check.StartInterval),
    retries: check.Retries,
  })
}

function restart(policy: Recipe['host']['RestartPolicy']): string | undefined {
  const { Name, MaximumRetryCount } = policy ?? {}
  if (Name === undefined || Name === null || Name === 'no' || Name === '') return undefined
  return MaximumRetryCount ? `${Name}:${MaximumRetryCount}` : Name
}

function bare(list: readonly string[] | null | undefined): string[] {
  return (list ?? []).map((each) => each.replace(/^CAP_/, ''))
}

/** Compose would take a `$` for the beginning of a variable. */
function literal(list: readonly string[] | undefined): string[] | undefined {
  return list?.map((text) => text.replaceAll('$', '$$$$'))
}

function literalMap(map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, value.replaceAll('$', '$$$$')]))
}

/** Without what says nothing. An empty list of words stays: it is an entrypoint or command that was cleared. */
function kept(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const said = Object.entries(fields).filter(([name, value]) => {
    if (value === undefined || value === null || value === '' || value === false || value === 0) return false
    if (Array.isArray(value)) return value.length > 0 || name === 'entrypoint' || name === 'command'
    return typeof value !== 'object' || Object.keys(value).length > 0
  })
  return Object.fromEntries(said)
}
