/**
 * `--link` on the default bridge, which has no names: a container finds another one by lines of its own /etc/hosts, and gets
 * past a bridge without `icc` to the ports that the other one exposes.
 */
import type { HostConfig } from '#api/generated/types.ts'
import { KeyedMutex } from '#base/mutex.ts'
import type { Logger } from '#base/logger.ts'
import type { Endpoint, LinkedPort, Networks, Protocol } from '#network/networks.ts'
import type { Container } from '../containers/container.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import { lockContainer } from '../containers/locked.ts'
import { runOf } from '../containers/state.ts'
import {
  invalidLink,
  linkIsName,
  linkTargetElsewhere,
  linkTargetStopped,
  linkWithoutParent,
  noSuchLink,
} from './errors.ts'
import { isUserDefined } from './names-of.ts'

/** A line of /etc/hosts. */
export interface HostsLine {
  readonly address: string
  /** With blanks between them. */
  readonly names: string
}

/** The files of a container that follow the address of another one. */
export interface LinkedFiles {
  /** Lines with the same names go, in the file of a container that runs. */
  hostsChanged(containerId: string, stale: readonly string[], lines: readonly HostsLine[]): Promise<void>
}

export interface LegacyLinksDeps {
  readonly registry: ContainerRegistry
  /** Of containers. */
  readonly locks: KeyedMutex
  readonly networks: Pick<Networks, 'bridge' | 'allow'>
  readonly files: LinkedFiles
  readonly logger: Logger
}

interface Link {
  readonly target: Container
  readonly alias: string
}

const BRIDGE = 'bridge'

/**
 * Links of a new container as they are kept: the id of the other one, a colon, the alias. On user-defined networks they are
 * aliases and stay as they are.
 */
export function resolveLinks(registry: Pick<ContainerRegistry, 'find'>, hostConfig: HostConfig): HostConfig {
  const { Links: links, NetworkMode: mode = '' } = hostConfig
  if (!links || links.length === 0 || isUserDefined(mode ?? '')) return hostConfig
  if (mode !== '' && mode !== BRIDGE && mode !== 'default') {
    const what = mode?.startsWith('container:') ? 'container type network' : `${mode} type networking`
    throw invalidLink(
      `conflicting options: ${what} can't be used with links. This would result in undefined behavior`,
    )
  }
  const resolved = links.map((text) => {
    const { name, alias } = parseLink(text)
    const target = registry.find(name)
    // Not 404: at create Docker's client takes that for a missing image, and pulls it.
    if (target === undefined)
      throw invalidLink(`could not get container for ${name}: No such container: ${name}`)
    if (target.hostConfig.NetworkMode === 'host') {
      throw invalidLink(
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
      )
    }
    return `${target.id}:${alias}`
  })
  return { ...hostConfig, Links: resolved }
}

/** Links as Docker shows them: `/web:/client/db`; those to containers that are gone are gone. */
export function shownLinks(
  registry: Pick<ContainerRegistry, 'get'>,
  container: Pick<Container, 'name' | 'hostConfig'>,
): string[] | null {
  const { Links: links, NetworkMode: mode } = container.hostConfig
  if (!links || links.length === 0) return null
  if (mode !== BRIDGE) return links
  return linksOf(registry, container).map(
    ({ target, alias }) => `/${target.name}:/${container.name}/${alias}`,
  )
}

/** Names that links give to containers, by id: `/client/db`. */
export function linkNames(
  registry: Pick<ContainerRegistry, 'get' | 'all'>,
): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>()
  for (const parent of registry.all()) {
    for (const { target, alias } of linksOf(registry, parent)) {
      names.set(target.id, [...(names.get(target.id) ?? []), `/${parent.name}/${alias}`])
    }
  }
  return names
}

/** What a container is linked to under the name `client/db`. */
export function linkTarget(
  registry: Pick<ContainerRegistry, 'get' | 'named'>,
  ref: string,
): Container | undefined {
  const [client = '', alias, ...more] = ref.split('/')
  const parent = registry.named(client)
  if (parent === undefined || more.length > 0) return undefined
  return linksOf(registry, parent).find((link) => link.alias === alias)?.target
}

/** Lines of /etc/hosts for what a container is linked to; an error unless all of that runs. */
export function linkedHosts(registry: Pick<ContainerRegistry, 'get'>, container: Container): HostsLine[] {
  return linksOf(registry, container).flatMap(({ target, alias }) => {
    const run = runOf(target.state)
    if (run === undefined) throw linkTargetStopped(`/${target.name}`, `/${container.name}/${alias}`)
    const endpoint = onBridge(run.endpoints)
    if (endpoint === undefined) throw linkTargetElsewhere(`/${target.name}`)
    return linesOf(target, alias, endpoint)
  })
}

/** Keeps those that run told of the address of what they are linked to. */
export class LegacyLinks {
  readonly #deps: LegacyLinksDeps
  /** One change of a container's file at a time. */
  readonly #locks = new KeyedMutex()

  constructor(deps: LegacyLinksDeps) {
    this.#deps = deps
  }

  /** The container has these endpoints now. */
  async joined(container: Container, endpoints: readonly Endpoint[]): Promise<void> {
    const { registry, networks } = this.#deps
    for (const { parent, alias } of this.#parents(container.id)) {
      await this.#tell(parent, container, alias, onBridge(endpoints))
    }
    const own = linksOf(registry, container)
    // One of them may have got another address since the container's file was written.
    for (const { target, alias } of own) {
      await this.#tell(container, target, alias, onBridge(runOf(target.state)?.endpoints ?? []))
    }
    if (networks.bridge.icc) return
    if (own.length > 0) await this.#open(container, endpoints, container, endpoints)
    for (const { parent } of this.#parents(container.id)) {
      await this.#open(parent, runOf(parent.state)?.endpoints ?? [], container, endpoints)
    }
  }

  /** Its addresses belong to nobody now. */
  async left(id: string): Promise<void> {
    const { networks, registry } = this.#deps
    if (networks.bridge.icc) return
    await networks.allow(id, [])
    const container = registry.get(id)
    if (container === undefined) return
    for (const { parent } of this.#parents(id)) {
      await this.#open(parent, runOf(parent.state)?.endpoints ?? [], container, [])
    }
  }

  /** `rm --link /client/db`: `client` is linked to what it calls `db` no longer. */
  async remove(ref: string): Promise<void> {
    const { registry, files } = this.#deps
    const [parent = '', alias, ...more] = ref.replace(/^\//, '').split('/')
    if (alias === undefined) throw linkIsName()
    if (registry.find(parent) === undefined) throw linkWithoutParent(`/${parent}`, ref)
    using locked = await lockContainer(this.#deps, parent)
    const { container } = locked
    const link = linksOf(registry, container).find((one) => one.alias === alias)
    if (link === undefined || more.length > 0) throw noSuchLink(ref)
    const Links = (container.hostConfig.Links ?? []).filter((text) => text !== `${link.target.id}:${alias}`)
    const after = registry.update(container.id, { hostConfig: { ...container.hostConfig, Links } })
    const endpoints = runOf(after.state)?.endpoints
    if (endpoints !== undefined) {
      await files.hostsChanged(after.id, [namesOf(link.target, alias)], [])
      await this.#open(after, endpoints, after, endpoints)
    }
    await registry.durable()
  }

  async #tell(
    parent: Container,
    target: Container,
    alias: string,
    endpoint: Endpoint | undefined,
  ): Promise<void> {
    using _lock = await this.#locks.acquire(parent.id)
    const stale = namesOf(target, alias)
    try {
      const lines = endpoint === undefined ? [] : linesOf(target, alias, endpoint)
      await this.#deps.files.hostsChanged(parent.id, [stale], lines)
    } catch (error) {
      // It has ended meanwhile; its next start writes the file anew.
      this.#deps.logger.warn('a linked container is not told of a new address', {
        container: parent.id,
        error,
      })
    }
  }

  /** What `parent` may reach, with what is known of `changed` before its row says so. */
  async #open(
    parent: Container,
    own: readonly Endpoint[],
    changed: Container,
    endpoints: readonly Endpoint[],
  ): Promise<void> {
    const { registry, networks } = this.#deps
    const from = onBridge(own)
    const ports = linksOf(registry, parent).flatMap(({ target }): LinkedPort[] => {
      const there = target.id === changed.id ? endpoints : (runOf(target.state)?.endpoints ?? [])
      const to = onBridge(there)
      return [...between(from?.ipv4, to?.ipv4, target), ...between(from?.ipv6, to?.ipv6, target)]
    })
    await networks.allow(parent.id, ports)
  }

  /** Running containers with links to `id`. */
  #parents(id: string): { readonly parent: Container; readonly alias: string }[] {
    const { registry } = this.#deps
    return registry
      .all()
      .filter((parent) => parent.id !== id && runOf(parent.state) !== undefined)
      .flatMap((parent) => linksOf(registry, parent).map((link) => ({ parent, ...link })))
      .filter(({ target }) => target.id === id)
  }
}

function linksOf(
  registry: Pick<ContainerRegistry, 'get'>,
  { hostConfig }: Pick<Container, 'hostConfig'>,
): Link[] {
  if (hostConfig.NetworkMode !== BRIDGE) return []
  return (hostConfig.Links ?? []).flatMap((text) => {
    const at = text.indexOf(':')
    const target = registry.get(text.slice(0, at))
    return target === undefined ? [] : [{ target, alias: text.slice(at + 1) }]
  })
}

/** `web`, `web:db`, `web:/db`, or `/web:/client/db`, as an inspected container has it. */
function parseLink(text: string): { readonly name: string; readonly alias: string } {
  if (text === '') throw invalidLink('empty string specified for links')
  const parts = text.split(':')
  if (parts.length > 2) throw invalidLink(`bad format for links: ${text}`)
  const [name = '', given = name] = parts
  const alias = name.startsWith('/') ? (given.split('/').at(-1) ?? given) : given.replace(/^\//, '')
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(alias)) throw invalidLink(`bad format for links: ${text}`)
  return { name: name.replace(/^\//, ''), alias }
}

function onBridge(endpoints: readonly Endpoint[]): Endpoint | undefined {
  return endpoints.find(({ network, pending }) => network === BRIDGE && pending !== 'leaving')
}

function linesOf(target: Container, alias: string, { ipv4, ipv6 }: Endpoint): HostsLine[] {
  const names = namesOf(target, alias)
  return [ipv4, ipv6].filter((address) => address !== undefined).map((address) => ({ address, names }))
}

/** The alias, the other one's own hostname, and its name. */
function namesOf({ name, config }: Container, alias: string): string {
  return [alias, config.Hostname ?? '', ...(alias === name ? [] : [name])]
    .filter((one) => one !== '')
    .join(' ')
}

function between(from: string | undefined, to: string | undefined, target: Container): LinkedPort[] {
  if (from === undefined || to === undefined) return []
  return exposedPorts(target).map((port) => ({ from, to, ...port }))
}

function exposedPorts({ config }: Container): { readonly protocol: Protocol; readonly port: number }[] {
  return Object.keys(config.ExposedPorts ?? {}).map((key) => {
    const [port = '', protocol = 'tcp'] = key.split('/')
    return { port: Number(port), protocol: protocol as Protocol }
  })
}
