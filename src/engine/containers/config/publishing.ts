import type { ContainerConfig, HostConfig, PortMap } from '#api/generated/types.ts'
import { EngineError } from '#base/errors.ts'
import { canonicalAddress } from '#network/address.ts'
import type { PortChange, PublishedPort } from '#network/networks.ts'
import { invalidConfig } from './errors.ts'
import { exposedWithBound, portRequests } from './ports.ts'

/** `Berth` of a container's update: bindings as in `HostConfig.PortBindings`. */
export interface PublishChange {
  readonly PublishAdd?: PortMap | null | undefined
  /** Of a port without bindings all go. */
  readonly PublishRemove?: PortMap | null | undefined
}

export interface PublishPlan extends PortChange {
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
}

interface Documents {
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
}

/** Empty where nothing was said. */
interface Binding {
  readonly HostIp: string
  readonly HostPort: string
}

type Bindings = Record<string, readonly Binding[]>

const ANY: Binding = { HostIp: '', HostPort: '' }

/** Whether anything of the ports is to change. */
export function changesPorts(change: PublishChange | null | undefined): change is PublishChange {
  return Object.keys(change?.PublishAdd ?? {}).length + Object.keys(change?.PublishRemove ?? {}).length > 0
}

/**
 * What a change of published ports makes of a container's documents, and of what it has `published` now. Removals come
 * first. Fails for what is no port, what is not published, and what is already.
 */
export function planPublishing(
  { config, hostConfig }: Documents,
  change: PublishChange,
  published: readonly PublishedPort[],
): PublishPlan {
  checkMode(hostConfig)
  const add = normalized(change.PublishAdd ?? {})
  const remove = normalized(change.PublishRemove ?? {}, [])
  const all = allExplicit(config, hostConfig, [...Object.keys(add), ...Object.keys(remove)])
  const bindings: Bindings = { ...normalized(all.PortBindings ?? {}) }
  const leaving = Object.entries(remove).flatMap(([port, which]) => removed(bindings, port, which, published))
  for (const [port, more] of Object.entries(add)) {
    bindings[port] = [...(bindings[port] ?? []), ...more.map((one) => unlessThere(bindings[port], port, one))]
  }
  const changed: HostConfig = { ...all, PortBindings: mutable(bindings) }
  const exposed = exposedWithBound(config, changed)
  return {
    config: exposed === undefined ? config : { ...config, ExposedPorts: exposed },
    hostConfig: changed,
    add: portRequests({}, { PortBindings: mutable(add) }),
    remove: leaving,
  }
}

function checkMode({ NetworkMode: mode = '' }: HostConfig): void {
  if (mode !== 'host' && mode !== 'none' && !mode?.startsWith('container:')) return
  throw invalidConfig(`ports cannot be published: the container has no network of its own (${mode})`)
}

/** Keys with their protocol; a port without bindings has `none`. */
function normalized(ports: PortMap, none: readonly Binding[] = [ANY]): Bindings {
  const entries = Object.entries(ports).map(([key, bindings]) => {
    // Also the check that it is a port.
    const [request] = portRequests({}, { PortBindings: { [key]: bindings } })
    if (request === undefined) throw invalidConfig(`invalid port specification: ${JSON.stringify(key)}`)
    const list = (bindings ?? []).map(({ HostIp, HostPort }) => ({
      HostIp: HostIp ?? '',
      HostPort: HostPort ?? '',
    }))
    return [`${request.containerPort}/${request.protocol}`, list.length === 0 ? none : list] as const
  })
  return Object.fromEntries(entries)
}

/** What `--publish-all` stands for is written out, as soon as one of those ports is to be changed. */
function allExplicit(
  config: ContainerConfig,
  hostConfig: HostConfig,
  touched: readonly string[],
): HostConfig {
  if (hostConfig.PublishAllPorts !== true) return hostConfig
  const bound = normalized(hostConfig.PortBindings ?? {})
  const exposed = Object.keys(exposedWithBound(config, hostConfig) ?? {}).filter((port) => !(port in bound))
  if (!exposed.some((port) => touched.includes(port))) return hostConfig
  const written = Object.fromEntries(exposed.map((port) => [port, [ANY]]))
  return { ...hostConfig, PublishAllPorts: false, PortBindings: mutable({ ...bound, ...written }) }
}

/** Takes bindings of a port away; returns what of `published` goes with them. */
function removed(
  bindings: Bindings,
  port: string,
  which: readonly Binding[],
  published: readonly PublishedPort[],
): PublishedPort[] {
  const own = published.filter(({ containerPort, protocol }) => `${containerPort}/${protocol}` === port)
  const before = bindings[port] ?? []
  if (before.length === 0) throw notPublished(port)
  let rest = before
  const gone: PublishedPort[] = which.length === 0 ? [...own] : []
  for (const wanted of which) {
    const binding = rest.find((one) => isSame(one, wanted)) ?? rest.find((one) => mayBe(one, wanted, own))
    if (binding === undefined) throw notPublished(port, wanted)
    rest = rest.filter((one) => one !== binding)
    gone.push(...own.filter((one) => isOf(one, binding) && isOf(one, wanted)))
  }
  if (which.length === 0 || rest.length === 0) delete bindings[port]
  else bindings[port] = rest
  return gone
}

/** Written alike; without an address, at any. */
function isSame(binding: Binding, wanted: Binding): boolean {
  return binding.HostPort === wanted.HostPort && sameAddress(wanted.HostIp, binding.HostIp)
}

/** A binding that left the number open, and got this one. */
function mayBe(binding: Binding, wanted: Binding, own: readonly PublishedPort[]): boolean {
  return isOpen(binding) && own.some((one) => isOf(one, binding) && isOf(one, wanted))
}

function isOpen({ HostPort }: Binding): boolean {
  return HostPort === '' || HostPort.includes('-')
}

function isOf({ hostIp, hostPort }: PublishedPort, { HostIp, HostPort }: Binding): boolean {
  const [first = 0, last = first] = HostPort === '' ? [0, 65_535] : HostPort.split('-').map(Number)
  return first <= hostPort && hostPort <= last && sameAddress(HostIp, hostIp)
}

/** `wanted` empty: any. */
function sameAddress(wanted: string, address: string): boolean {
  if (wanted === '') return true
  return address !== '' && plain(wanted) === plain(address)
}

function plain(address: string): string {
  return canonicalAddress(address.replace(/^\[(.*)\]$/, '$1'))
}

function unlessThere(before: readonly Binding[] = [], port: string, binding: Binding): Binding {
  const { HostIp, HostPort } = binding
  const twin = before.some((one) => one.HostPort === HostPort && one.HostIp === HostIp)
  if (isOpen(binding) || !twin) return binding
  throw new EngineError('conflict', `port ${port} is published at ${textOf(binding)} already`, {
    code: 'PORT_PUBLISHED',
    details: { port, ...binding },
  })
}

function notPublished(port: string, binding?: Binding): EngineError {
  const at = binding === undefined ? '' : ` at ${textOf(binding)}`
  return new EngineError('not_found', `port ${port} is not published${at}`, {
    code: 'PORT_NOT_PUBLISHED',
    details: { port, ...binding },
  })
}

function textOf({ HostIp, HostPort }: Binding): string {
  const address = HostIp.includes(':') ? `[${HostIp}]` : HostIp
  return address === '' ? HostPort : `${address}:${HostPort}`
}

function mutable(bindings: Bindings): PortMap {
  return Object.fromEntries(Object.entries(bindings).map(([port, list]) => [port, [...list]]))
}
