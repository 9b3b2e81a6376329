import type { Endpoint } from '#network/networks.ts'
import type { NameService, Resolver } from '#network/names/name-service.ts'
import type { Container } from '../containers/container.ts'
import type { LegacyLinks } from './legacy-links.ts'
import { dnsNames, isUserDefined } from './names-of.ts'
import type { Network } from './network.ts'

export interface ContainerNamesDeps {
  readonly service: NameService
  readonly known: { named(name: string): Network | undefined }
  /** Of the default bridge, where the name service has no business. */
  readonly links: Pick<LegacyLinks, 'joined' | 'left'>
}

/** A container whose names can be looked up, because it runs or is about to. */
interface Member {
  readonly container: Container
  readonly endpoints: readonly Endpoint[]
}

/** Resolvers by what they depend on. */
type Views = Map<string, Resolver>

/**
 * Who sees whom under which names: every container on user-defined networks sees the others on its own networks. Keeps
 * the name service told; containers on none of them are no business of it.
 */
export class ContainerNames {
  readonly #deps: ContainerNamesDeps
  readonly #members = new Map<string, Member>()
  /**
   * While containers of a former daemon are taken over: those that are answered already. They keep the answers they have
   * until everybody is known.
   */
  #adopting: ReadonlySet<string> | undefined

  constructor(deps: ContainerNamesDeps) {
    this.#deps = deps
  }

  /** The container has these endpoints now, in the namespace of process `pid`; the others know when this resolves. */
  async join(container: Container, endpoints: readonly Endpoint[], pid: number): Promise<void> {
    await this.#deps.links.joined(container, endpoints)
    const before = this.#members.get(container.id)
    const named = endpoints.filter(({ network }) => isUserDefined(network))
    if (named.length === 0 && before === undefined) return
    this.#members.set(container.id, { container, endpoints: named })
    if (this.#adopting?.has(container.id) === true) return
    await this.#deps.service.attach(container.id, { pid }, this.#resolver(container.id))
    await this.#update(container.id, [...named, ...(before?.endpoints ?? [])])
  }

  /** Its names or addresses have changed; the others know when this resolves. */
  async change(container: Container, endpoints: readonly Endpoint[]): Promise<void> {
    const before = this.#members.get(container.id)
    if (before === undefined) return
    const named = endpoints.filter(({ network }) => isUserDefined(network))
    this.#members.set(container.id, { container, endpoints: named })
    await this.#update(undefined, [...named, ...before.endpoints])
  }

  async leave(id: string): Promise<void> {
    await this.#deps.links.left(id)
    const member = this.#members.get(id)
    if (member === undefined) return
    this.#members.delete(id)
    await this.#deps.service.detach(id)
    await this.#update(id, member.endpoints)
  }

  /** At start: containers that run; whatever else the service answers for is dropped. */
  async adopt(ids: ReadonlySet<string>): Promise<void> {
    this.#adopting = await this.#deps.service.adopt(ids)
  }

  /** All containers that run have joined: everybody gets what everybody is called. */
  async adopted(): Promise<void> {
    this.#adopting = undefined
    const views: Views = new Map()
    const all = [...this.#members.keys()].map((id) => [id, this.#resolver(id, views)] as const)
    if (all.length > 0) await this.#deps.service.update(new Map(all))
  }

  /** New answers for everybody on the networks of `endpoints`. */
  async #update(except: string | undefined, endpoints: readonly Endpoint[]): Promise<void> {
    if (this.#adopting !== undefined) return
    const touched = new Set(endpoints.map(({ networkId }) => networkId))
    const views: Views = new Map()
    const seen = [...this.#members]
      .filter(
        ([id, member]) => id !== except && member.endpoints.some(({ networkId }) => touched.has(networkId)),
      )
      .map(([id]) => [id, this.#resolver(id, views)] as const)
    if (seen.length > 0) await this.#deps.service.update(new Map(seen))
  }

  /** Those that see the same get the same object, made once: a start costs n names and not n for each of n containers. */
  #resolver(id: string, views: Views = new Map()): Resolver {
    const own = this.#members.get(id)
    if (own === undefined) return { names: new Map(), pointers: new Map(), upstream: 'none' }
    const links = own.container.attachments.flatMap(({ settings }) => settings.Links ?? [])
    const networks = own.endpoints.map(({ networkId }) => networkId)
    const key = JSON.stringify([networks, links, this.#upstream(own)])
    const known = views.get(key) ?? this.#view(own)
    views.set(key, known)
    return known
  }

  #view(own: Member): Resolver {
    const names = new Map<string, string[]>()
    const pointers = new Map<string, string>()
    for (const { networkId, network } of own.endpoints) {
      for (const member of this.#members.values()) {
        const endpoint = member.endpoints.find((one) => one.networkId === networkId)
        if (endpoint !== undefined) addNames(names, pointers, member.container, endpoint, network)
      }
    }
    this.#addLinks(names, own)
    return { names, pointers, upstream: this.#upstream(own) }
  }

  /** `--link CONTAINER:ALIAS` on a user-defined network: an alias that one container alone knows. */
  #addLinks(names: Map<string, string[]>, { container }: Member): void {
    for (const link of container.attachments.flatMap(({ settings }) => settings.Links ?? [])) {
      const [target = '', alias = target] = link.split(':')
      const addresses = names.get(target.toLowerCase())
      if (addresses !== undefined) add(names, alias, addresses)
    }
  }

  /**
   * Only internal networks, or such as lead nowhere: nobody outside is asked (CVE-2024-29018). Servers of the container's
   * own are asked from where it is, and so may be on such a network.
   */
  #upstream({ container, endpoints }: Member): Resolver['upstream'] {
    const internal = (name: string): boolean => {
      const network = this.#deps.known.named(name)
      return network?.internal === true || network?.info?.internal === true
    }
    const servers = container.hostConfig.Dns ?? []
    if (container.attachments.length > 0 && endpoints.every(({ network }) => internal(network))) {
      // One with an interface is asked from the host.
      const near = servers.filter((server) => !server.includes('%'))
      if (container.attachments.every(({ network }) => internal(network)))
        return near.length > 0 ? near : 'none'
    }
    return servers.length > 0 ? servers : 'host'
  }
}

function addNames(
  names: Map<string, string[]>,
  pointers: Map<string, string>,
  container: Container,
  { ipv4, ipv6 }: Endpoint,
  network: string,
): void {
  const addresses = [ipv4, ipv6].filter((address) => address !== undefined)
  const settings = container.attachments.find((one) => one.network === network)?.settings ?? {}
  const [first, ...others] = dnsNames(container, settings)
  for (const name of [first ?? '', ...others]) {
    add(names, name, addresses)
    add(names, `${name}.${network}`, addresses)
  }
  for (const address of addresses) pointers.set(address, `${first}.${network}`)
}

function add(names: Map<string, string[]>, name: string, addresses: readonly string[]): void {
  const key = name.toLowerCase()
  const known = names.get(key) ?? []
  names.set(key, [...known, ...addresses.filter((address) => !known.includes(address))])
}
