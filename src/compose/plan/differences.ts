import type {
  ContainerConfig,
  ContainerInspectResponse,
  HostConfig,
  ImageConfig,
  ImageInspect,
  PortMap,
} from '#api/generated/types.ts'
import type { ContainerCreateBody } from '#client/containers.ts'

/**
 * What of a container is not as its service would have it made now, in Compose's names (`environment.DEBUG`). What comes
 * from the image does not count. Empty where the difference is in something that an engine does not tell.
 */
export function differences(
  wanted: ContainerCreateBody,
  found: ContainerInspectResponse,
  image: ImageInspect | undefined,
): readonly string[] {
  const config = found.Config ?? {}
  const host = found.HostConfig ?? {}
  const compared = [
    ...configFields(wanted, config, image?.Config ?? {}),
    ...hostFields(wanted.HostConfig ?? {}, host),
    ['networks', networksText(wanted), networksFound(found)],
  ] as const
  const fields = compared.filter(([, want, have]) => !isSame(want, have)).map(([name]) => name)
  return [
    ...fields,
    ...variables(wanted.Env ?? [], config.Env ?? [], image?.Config?.Env ?? []),
    ...labelsOf(wanted, found, image),
  ]
}

/** Name, what is wanted, what was found. */
type Field = readonly [string, unknown, unknown]

/** Where nothing is wanted, what the image says is what the container has. */
function configFields(
  wanted: ContainerCreateBody,
  config: ContainerConfig,
  image: ImageConfig,
): readonly Field[] {
  return [
    ['image', wanted.Image, config.Image],
    ['command', wanted.Cmd ?? image.Cmd, config.Cmd],
    ['entrypoint', wanted.Entrypoint ?? image.Entrypoint, config.Entrypoint],
    ['user', wanted.User ?? image.User, config.User],
    ['working_dir', wanted.WorkingDir ?? image.WorkingDir, config.WorkingDir],
    ['hostname', wanted.Hostname ?? config.Hostname, config.Hostname],
    ['tty', wanted.Tty, config.Tty],
    ['stdin_open', wanted.OpenStdin, config.OpenStdin],
    ['stop_signal', wanted.StopSignal ?? image.StopSignal, config.StopSignal],
    ['stop_grace_period', wanted.StopTimeout, config.StopTimeout],
    ['healthcheck', wanted.Healthcheck ?? image.Healthcheck, config.Healthcheck],
  ]
}

function hostFields(ours: HostConfig, host: HostConfig): readonly Field[] {
  return [
    ['ports', bindingsText(ours.PortBindings), bindingsText(host.PortBindings)],
    ['restart', ours.RestartPolicy?.Name ?? 'no', host.RestartPolicy?.Name || 'no'],
    ['privileged', ours.Privileged, host.Privileged],
    ['read_only', ours.ReadonlyRootfs, host.ReadonlyRootfs],
    ['init', ours.Init, host.Init],
    ['cap_add', ours.CapAdd, host.CapAdd],
    ['cap_drop', ours.CapDrop, host.CapDrop],
    ['extra_hosts', ours.ExtraHosts, host.ExtraHosts],
    ['network_mode', ours.NetworkMode, host.NetworkMode],
    ['tmpfs', ours.Tmpfs, host.Tmpfs],
    ['sysctls', ours.Sysctls, host.Sysctls],
    ['mem_limit', ours.Memory, host.Memory],
    ['cpus', ours.NanoCpus, host.NanoCpus],
    ['pids_limit', ours.PidsLimit, host.PidsLimit],
    ['volumes', mountsText(ours.Binds, ours.Mounts), mountsText(host.Binds, host.Mounts)],
  ]
}

function variables(
  wanted: readonly string[],
  found: readonly string[],
  fromImage: readonly string[],
): readonly string[] {
  const [want, have, base] = [wanted, found, fromImage].map(byName) as [
    Map<string, string>,
    Map<string, string>,
    Map<string, string>,
  ]
  const changed = [...want].filter(([name, value]) => have.get(name) !== value).map(([name]) => name)
  const gone = [...have]
    .filter(([name, value]) => !want.has(name) && base.get(name) !== value)
    .map(([name]) => name)
  return [...changed, ...gone].toSorted().map((name) => `environment.${name}`)
}

function byName(variablesOf: readonly string[]): Map<string, string> {
  return new Map(variablesOf.map((text) => [text.split('=', 1)[0] ?? text, text]))
}

function labelsOf(
  wanted: ContainerCreateBody,
  found: ContainerInspectResponse,
  image: ImageInspect | undefined,
): readonly string[] {
  const [want, have, base] = [wanted.Labels ?? {}, found.Config?.Labels ?? {}, image?.Config?.Labels ?? {}]
  const names = new Set([...Object.keys(want), ...Object.keys(have)])
  return [...names]
    .filter((name) => !name.startsWith('com.docker.compose.'))
    .filter((name) => (want[name] ?? base[name]) !== have[name])
    .toSorted()
    .map((name) => `labels.${name}`)
}

/** What nobody said and what says nothing are the same. */
function isSame(want: unknown, have: unknown): boolean {
  return JSON.stringify(plain(want)) === JSON.stringify(plain(have))
}

function plain(value: unknown): unknown {
  if (value === null || value === undefined || value === false || value === 0 || value === '')
    return undefined
  if (typeof value !== 'object') return value
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(plain)
  const entries = Object.entries(value).flatMap(([key, each]) => {
    const said = plain(each)
    return said === undefined ? [] : [[key, said] as const]
  })
  return entries.length === 0
    ? undefined
    : Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function bindingsText(bindings: PortMap | null | undefined): readonly string[] {
  return Object.entries(bindings ?? {})
    .flatMap(([port, list]) =>
      (list ?? []).map(({ HostIp, HostPort }) => `${HostIp ?? ''}:${HostPort ?? ''}:${port}`),
    )
    .toSorted()
}

type Mounts = NonNullable<ContainerCreateBody['HostConfig']>['Mounts']

function mountsText(binds: readonly string[] | null | undefined, mounts: Mounts): readonly string[] {
  const texts = (mounts ?? []).map(({ Type, Source, Target, ReadOnly }) =>
    [
      Type === 'volume' && /^[0-9a-f]{64}$/.test(Source ?? '') ? '' : (Source ?? ''),
      Target ?? '',
      ReadOnly === true ? 'ro' : 'rw',
    ].join(':'),
  )
  return [...(binds ?? []), ...texts].toSorted()
}

function networksText({ NetworkingConfig }: ContainerCreateBody): readonly string[] {
  return Object.keys(NetworkingConfig?.EndpointsConfig ?? {}).toSorted()
}

function networksFound({ NetworkSettings, HostConfig }: ContainerInspectResponse): readonly string[] {
  const shares = /^(?:host|none|container:)/.test(HostConfig?.NetworkMode ?? '')
  return shares ? [] : Object.keys(NetworkSettings?.Networks ?? {}).toSorted()
}
