import type { ContainerInspectResponse, HostConfig, ImageInspect, SystemInfo } from '#api/generated/types.ts'

type Config = NonNullable<ContainerInspectResponse['Config']>

/** What somebody asked for when a container was created: without what its image and the engine add by themselves. */
export interface Recipe {
  readonly name: string
  readonly image: string
  readonly config: Config
  readonly host: HostConfig
  /** Undefined: that of the image. */
  readonly entrypoint: readonly string[] | undefined
  readonly command: readonly string[] | undefined
  readonly env: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly exposed: readonly string[]
  /** Paths of anonymous volumes. */
  readonly anonymous: readonly string[]
  /** Networks with the addresses and names that were asked for. */
  readonly networks: readonly NetworkWish[]
  readonly user: string
  readonly workdir: string
  readonly hostname: string
  readonly stopSignal: string
  readonly healthcheck: Config['Healthcheck']
  readonly logging:
    | { readonly driver: string; readonly options: Readonly<Record<string, string>> }
    | undefined
  readonly cgroupns: string
  readonly ipc: string
  readonly runtime: string
  readonly shmSize: number
}

export interface NetworkWish {
  readonly name: string
  readonly aliases: readonly string[]
  readonly ipv4: string
  readonly ipv6: string
}

/** By these labels Compose finds its own again. */
const BOOKKEEPING = 'com.docker.compose.'
const DEFAULT_SHM = 64 << 20
/** What the engine gives every log that does not say otherwise. */
const defaultLogOptions: Readonly<Record<string, string>> = { 'max-file': '5', 'max-size': '20971520' }

/** `image` undefined: it is gone, and what it said is taken for what was asked. */
export function recipeOf(
  container: ContainerInspectResponse,
  image: ImageInspect | undefined,
  info: SystemInfo,
): Recipe {
  const config = container.Config ?? {}
  const host = container.HostConfig ?? {}
  const from = image?.Config ?? {}
  return {
    name: (container.Name ?? '').replace(/^\//, ''),
    image: config.Image ?? '',
    config,
    host,
    ...process(config, from),
    labels: labelsOf(config, from),
    exposed: without(Object.keys(config.ExposedPorts ?? {}), [
      ...Object.keys(from.ExposedPorts ?? {}),
      ...Object.keys(host.PortBindings ?? {}),
    ]),
    anonymous: without(Object.keys(config.Volumes ?? {}), Object.keys(from.Volumes ?? {})),
    networks: networksOf(container),
    hostname: config.Hostname === (container.Id ?? '').slice(0, 12) ? '' : (config.Hostname ?? ''),
    logging: loggingOf(host, info),
    ...surroundings(host, info),
  }
}

function process(
  config: Config,
  from: Config,
): Pick<Recipe, 'entrypoint' | 'command' | 'env' | 'user' | 'workdir' | 'stopSignal' | 'healthcheck'> {
  const entrypoint = changed(config.Entrypoint, from.Entrypoint)
  return {
    entrypoint,
    // With an entrypoint of its own the container had none of the image's arguments.
    command: entrypoint === undefined ? changed(config.Cmd, from.Cmd) : (config.Cmd ?? undefined),
    env: without(config.Env, from.Env),
    user: unlike(config.User, from.User),
    workdir: config.WorkingDir === '/' ? '' : unlike(config.WorkingDir, from.WorkingDir),
    stopSignal: unlike(config.StopSignal, from.StopSignal),
    healthcheck: same(config.Healthcheck, from.Healthcheck) ? undefined : config.Healthcheck,
  }
}

function labelsOf(config: Config, from: Config): Record<string, string> {
  const own = Object.entries(config.Labels ?? {}).filter(
    ([key, value]) => from.Labels?.[key] !== value && !key.startsWith(BOOKKEEPING),
  )
  return Object.fromEntries(own)
}

function surroundings(
  { CgroupnsMode, IpcMode, Runtime, ShmSize }: HostConfig,
  { CgroupVersion, DefaultRuntime }: SystemInfo,
): Pick<Recipe, 'cgroupns' | 'ipc' | 'runtime' | 'shmSize'> {
  return {
    cgroupns: unlike(CgroupnsMode, CgroupVersion === '1' ? 'host' : 'private'),
    ipc: unlike(IpcMode, 'private'),
    runtime: unlike(Runtime, DefaultRuntime),
    shmSize: ShmSize === DEFAULT_SHM ? 0 : Number(ShmSize ?? 0),
  }
}

function networksOf({
  Id: id = '',
  Name,
  HostConfig,
  NetworkSettings,
}: ContainerInspectResponse): NetworkWish[] {
  const mode = HostConfig?.NetworkMode ?? 'default'
  const endpoints = NetworkSettings?.Networks ?? {}
  // Whoever named networks alone is on these, and its mode says nothing.
  const standard = Object.keys(endpoints).length === 0 || Object.hasOwn(endpoints, 'bridge')
  if (['default', 'bridge'].includes(mode) && standard) return []
  if (['host', 'none'].includes(mode) || mode.startsWith('container:')) {
    return [{ name: mode, aliases: [], ipv4: '', ipv6: '' }]
  }
  const own = new Set([(id ?? '').slice(0, 12), (Name ?? '').replace(/^\//, '')])
  const all = Object.entries(endpoints).map(([name, endpoint]): NetworkWish => {
    return {
      name,
      aliases: (endpoint?.Aliases ?? []).filter((alias) => !own.has(alias)),
      ipv4: endpoint?.IPAMConfig?.IPv4Address ?? '',
      ipv6: endpoint?.IPAMConfig?.IPv6Address ?? '',
    }
  })
  // The one that it was created with comes first.
  return all.sort((a, b) => Number(b.name === mode) - Number(a.name === mode))
}

function loggingOf(host: HostConfig, info: SystemInfo): Recipe['logging'] {
  const driver = host.LogConfig?.Type ?? ''
  const options = Object.fromEntries(
    Object.entries(host.LogConfig?.Config ?? {}).filter(([key, value]) => defaultLogOptions[key] !== value),
  )
  const isDefault = driver === '' || driver === info.LoggingDriver
  if (isDefault && Object.keys(options).length === 0) return undefined
  return { driver: isDefault ? '' : driver, options }
}

type Text = string | null | undefined

/** Empty when it is what it would be anyway. */
function unlike(value: Text, usual: Text): string {
  return value === usual ? '' : (value ?? '')
}

type Words = readonly string[] | null | undefined

function changed(own: Words, image: Words): readonly string[] | undefined {
  return same(own ?? [], image ?? []) ? undefined : (own ?? [])
}

function without(own: Words, image: Words): string[] {
  return (own ?? []).filter((each) => !(image ?? []).includes(each))
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null)
}
