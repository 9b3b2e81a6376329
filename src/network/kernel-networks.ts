import { existsSync } from 'node:fs'
import { EngineError, engineErrorOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { Helper } from '#os/helper.ts'
import type { KernelChange } from '#os/kernel-watch.ts'
import type { Sysctls } from '#os/proc/sysctl.ts'
import { kernelSysctls } from '#os/proc/sysctl.ts'
import { KeyedMutex } from '#base/mutex.ts'
import { parseCidr } from './address.ts'
import type { LinkDeps } from './bridge.ts'
import { bridgeStates, enableForwarding, hostRoutes, linkState, removeBridge } from './bridge.ts'
import { BridgeLinks } from './bridge-links.ts'
import { defaultSubnets } from './default-network.ts'
import { ensureBridgeFilter } from './bridge-filter.ts'
import { BridgeNetwork } from './bridge-network.ts'
import { plugLink, routeThrough, unplugLink, unplugShared } from './endpoint-links.ts'
import { ContainerLinks } from './container-links.ts'
import { bridgeNameTaken, connectivityFailed, noSuchNetwork } from './errors.ts'
import { type PathReport, endpointPath } from './endpoint-path.ts'
import { Firewall } from './firewall.ts'
import { type FirewallReport, firewallReport } from './firewall-report.ts'
import { Guard, type GuardDeps, guardName } from './guard.ts'
import { linkAddress, routedRanges } from './ipam.ts'
import type {
  Endpoint,
  LeaseRequest,
  LinkedPort,
  NetworkInfo,
  NetworkRequest,
  Networks,
  PortChange,
  PortRequest,
  PublishTarget,
  PublishedPort,
  Ways,
} from './networks.ts'
import { ParentLinks, checkNeighbours, isShared } from './parent-link.ts'
import type { PortHolds } from './port-holds.ts'
import { SocketPortHolds } from './port-holds.ts'
import { PortTable, parsePortRange, parseReservedPorts } from './ports.ts'
import { Publisher } from './publisher.ts'
import { type PoolBase, chooseSubnets, conflictingRoutes, defaultPoolBases } from './subnets.ts'

export interface KernelNetworksOptions {
  readonly helper: Pick<Helper, 'run'>
  readonly logger: Logger
  /** Id of the network named `bridge`; stored by the caller, so that it stays the same. */
  readonly networkId: string
  /** Interface name of the default bridge; empty: there is none. */
  readonly link?: string | undefined
  /** nft table in the `inet` family. */
  readonly table?: string | undefined
  /** Gateway with prefix length (dockerd's `bip`); otherwise the bridge's present address, or the first free pool. */
  readonly address?: string | undefined
  /** Where the default bridge's containers get their IPv4 addresses from (dockerd's `fixed-cidr`). */
  readonly range?: string | undefined
  /** Gateway with prefix length; IPv6 is off without it. */
  readonly address6?: string | undefined
  readonly mtu?: number | undefined
  /** Where subnets of networks come from that name none; with it the default bridge's as well. */
  readonly pools?: readonly PoolBase[] | undefined
  /** Whether containers of the default bridge reach each other. */
  readonly icc?: boolean | undefined
  /** See TableOptions. */
  readonly respect?: boolean | undefined
  /** Host address that ports are published on when none is named; default: all. */
  readonly publishDefault?: string | undefined
  /** Makes the table that outlives a flush (Guard); without it there is none. */
  readonly guard?: GuardDeps['start'] | undefined
  /** Published ports are reached at the containers' own addresses, too, by whoever has a route. */
  readonly directRouting?: boolean | undefined
  readonly sysctls?: Sysctls | undefined
  readonly holds?: PortHolds | undefined
  /** Monotonic, in ms. */
  readonly now?: (() => number) | undefined
  /** How long a released address rests, in ms. */
  readonly quarantine?: number | undefined
}

/** Everything that is known once the default bridge exists. */
interface Ready {
  readonly bridge: BridgeNetwork
  readonly publisher: Publisher
}

const DEFAULT_QUARANTINE = 30_000
const FIREWALL_MENDED = 'somebody has changed the firewall; it is as it was again'
const LINKS_MENDED = 'somebody has removed a bridge or changed it; it is as it was again'
/** Every so many periodic checks the settings of a user-defined network's bridge are read, too. */
const ROUNDS = 8

/** Bridge networks in the kernel: the predefined one and those that were made. */
export class KernelNetworks implements Networks {
  readonly #options: KernelNetworksOptions
  readonly #link: string
  readonly #sysctls: Sysctls
  readonly #firewall: Firewall
  readonly #linked: ContainerLinks
  readonly #bridges: BridgeLinks
  readonly #parents: ParentLinks
  readonly #networks = new Map<string, BridgeNetwork>()
  /** Networks whose bridge is to be there. */
  readonly #made = new Set<string>()
  /** One change of a network's bridge at a time: the periodic check meets those that come and go. */
  readonly #links = new KeyedMutex()
  #round = 0
  /** The first comparison is over. */
  #settled = false
  #preparing: Promise<Ready> | undefined
  #ready: Ready | undefined

  constructor(options: KernelNetworksOptions) {
    this.#options = options
    this.#link = options.link ?? 'berth0'
    this.#sysctls = options.sysctls ?? kernelSysctls
    const { helper, logger, respect, guard: start, table = 'berth' } = options
    this.#bridges = new BridgeLinks(this.#deps())
    this.#parents = new ParentLinks(this.#deps(), `berth ${options.networkId.slice(0, 12)}`)
    const guard = start === undefined ? undefined : new Guard({ logger, table: guardName(table), start })
    this.#firewall = new Firewall({ helper, logger, table, respect, guard })
    this.#linked = new ContainerLinks(this.#firewall)
  }

  get bridge(): NetworkInfo {
    return this.#get().bridge.info
  }

  async ensure(): Promise<void> {
    await this.#ensure()
  }

  async plan(request: NetworkRequest, warn?: (text: string) => void): Promise<NetworkInfo> {
    const shared = isShared(request) ? await this.#parents.plan(request, this.#infos()) : undefined
    const bridges = this.#infos().filter((info) => !isShared(info))
    const routes = routedRanges(await hostRoutes(this.#deps()), new Set(bridges.map(({ link }) => link)))
    // From here to the end without a pause: two requests never get the same subnet, nor the same bridge.
    const namesake = this.#infos().find((info) => !isShared(info) && info.link === request.link)
    if (namesake !== undefined && shared === undefined) throw bridgeNameTaken(request, namesake)
    const networks = this.#infos().flatMap(({ name, subnets }) =>
      subnets.map(({ subnet }) => ({ name, subnet: parseCidr(subnet) })),
    )
    const pools = this.#options.pools ?? defaultPoolBases
    const subnets = chooseSubnets(request, { networks, routes, pools, seed: this.#options.networkId })
    const { ipv4: _ipv4, ipv6: _ipv6, ...rest } = request
    const info: NetworkInfo = { ...rest, subnets, shared }
    if (isShared(info)) checkNeighbours(info, this.#infos())
    this.#networks.set(info.id, this.#network(info))
    // The subnet of a network on a link of the host is often that of the link.
    const hidden = shared === undefined ? conflictingRoutes(subnets, routes) : []
    for (const route of hidden) {
      warn?.(
        `the host has a route to ${route}, which containers of network ${info.name} cannot reach any more`,
      )
    }
    return info
  }

  async create(id: string): Promise<void> {
    const network = this.#known(id)
    using _lock = await this.#links.acquire(id)
    if (isShared(network.info)) {
      this.#made.add(id)
      await this.#firewall.change(network.elements)
      await this.#parents.ensure(network.info)
      return
    }
    if ((await linkState(this.#deps(), network.info.link)) !== undefined) {
      throw new EngineError('conflict', `the host has an interface named ${network.info.link} already`, {
        code: 'NETWORK_LINK_CONFLICT',
        details: { link: network.info.link },
      })
    }
    this.#made.add(id)
    await this.#ensureApart()
    await this.#bridges.ensure(network)
    await this.#enableForwarding()
    await this.#firewall.change(network.elements)
  }

  async adoptNetworks(networks: readonly NetworkInfo[]): Promise<void> {
    const adopted = networks.map((info) => this.#network(info))
    for (const network of adopted) {
      this.#networks.set(network.info.id, network)
      this.#made.add(network.info.id)
    }
    await this.#ensureMade()
    await this.#firewall.change(adopted.flatMap(({ elements }) => elements))
  }

  async removeNetwork(info: NetworkInfo): Promise<void> {
    const { id, link } = info
    using _lock = await this.#links.acquire(id)
    const made = this.#made.delete(id)
    if (isShared(info)) await this.#parents.leave(info, () => this.#infos())
    else await removeBridge(this.#deps(), link, linkAddress(id))
    const network = this.#networks.get(id)
    // The elements of one that was not made are somebody else's: they name the link, which that one has.
    const known = made ? (network?.elements.filter((element) => this.#firewall.has(element)) ?? []) : []
    await this.#firewall.change([], known)
    this.#networks.delete(id)
  }

  network(id: string): NetworkInfo | undefined {
    return this.#networks.get(id)?.info
  }

  leases(networkId: string): ReadonlyMap<string, Endpoint> {
    return this.#networks.get(networkId)?.leases ?? new Map()
  }

  usage(networkId: string): ReturnType<Networks['usage']> {
    return this.#networks.get(networkId)?.usage() ?? {}
  }

  lease(request: LeaseRequest): Endpoint {
    return this.#known(request.networkId ?? this.bridge.id).lease(request)
  }

  adopt(containerId: string, endpoint: Endpoint): void {
    const free = this.#known(endpoint.networkId).adopt(containerId, endpoint)
    if (!free) this.#options.logger.warn('adopted address is in use twice', { containerId, endpoint })
  }

  release(containerId: string, networkId?: string): void {
    const networks = networkId === undefined ? this.#networks.values() : [this.#known(networkId)]
    for (const network of networks) network.release(containerId, networkId !== undefined)
  }

  async plug(pid: number, endpoint: Endpoint, sysctls: Readonly<Record<string, string>>): Promise<void> {
    await plugLink(this.#options, pid, endpoint, this.#known(endpoint.networkId).info, sysctls)
  }

  async unplug(pid: number, endpoint: Endpoint): Promise<void> {
    const info = this.network(endpoint.networkId)
    if (info !== undefined && isShared(info)) await unplugShared(this.#options, pid, endpoint)
    else await unplugLink(this.#options, endpoint.veth)
  }

  async route(pid: number, ways: Ways): Promise<void> {
    await routeThrough(this.#options, pid, ways)
  }

  async publish(
    containerId: string,
    target: PublishTarget,
    ports: readonly PortRequest[],
    options: { readonly name?: string | undefined } = {},
  ): Promise<readonly PublishedPort[]> {
    if (ports.length === 0) return []
    const published = this.#get().publisher.publish(containerId, target, ports)
    return withEndpoint(published, target, options.name)
  }

  async republish(
    containerId: string,
    target: PublishTarget,
    change: PortChange,
    options: { readonly name?: string | undefined } = {},
  ): Promise<readonly PublishedPort[]> {
    return withEndpoint(this.#get().publisher.change(containerId, target, change), target, options.name)
  }

  adoptPublished(containerId: string, target: PublishTarget, ports: readonly PublishedPort[]): void {
    if (ports.length > 0) this.#get().publisher.adopt(containerId, target, ports)
  }

  async retarget(containerId: string, target: PublishTarget): Promise<void> {
    await this.#get().publisher.retarget(containerId, target)
  }

  async unpublish(containerId: string): Promise<void> {
    await this.#get().publisher.unpublish(containerId)
  }

  async firewall(): Promise<FirewallReport> {
    const { respect = false, table = 'berth' } = this.#options
    const live = await this.#firewall.live()
    return firewallReport({
      table,
      respect,
      live,
      model: this.#firewall.model,
      ours: live !== undefined && this.#firewall.isOurs(live),
      others: await this.#firewall.others(),
      publications: this.#get().publisher.publications(),
    })
  }

  async path(pid: number, endpoint: Endpoint): Promise<PathReport> {
    return endpointPath(this.#deps(), pid, endpoint, this.#known(endpoint.networkId).info)
  }

  async allow(containerId: string, ports: readonly LinkedPort[]): Promise<void> {
    await this.#linked.set(containerId, ports)
  }

  async reconcile(): Promise<boolean> {
    return this.#compare(() => this.#firewall.reconcile())
  }

  /** As `reconcile`, for the periodic check of who hears from the kernel besides (`noticed`). */
  async look(): Promise<boolean> {
    return this.#compare(() => this.#firewall.look())
  }

  async #compare(firewallMended: () => Promise<boolean>): Promise<boolean> {
    // What isolates comes first.
    const firewall = this.#tell(await firewallMended(), FIREWALL_MENDED)
    const bridges = this.#tell(await this.#mendLinks(), LINKS_MENDED)
    const holds = await this.#get().publisher.holdMissing()
    this.#settled = true
    return bridges || firewall || holds
  }

  /** What the kernel has told (src/os/kernel-watch.ts): what somebody else has done is put right at once. */
  async noticed(change: KernelChange): Promise<void> {
    if (change.kind === 'lost') await this.reconcile()
    if (change.kind === 'table') this.#tell(await this.#firewall.noticed(), FIREWALL_MENDED)
    if (change.kind === 'link' && this.#isBridge(change.name)) {
      this.#tell(await this.#mendLinks(), LINKS_MENDED, { link: change.name })
    }
  }

  /** The first comparison finds what changed while no daemon was there; that is nobody's doing. */
  #tell(mended: boolean, text: string, fields: Readonly<Record<string, unknown>> = {}): boolean {
    if (mended && this.#settled) this.#options.logger.warn(text, fields)
    return mended
  }

  #isBridge(name: string): boolean {
    const made = [...this.#networks.values()].filter(({ info }) => this.#made.has(info.id))
    return name === this.#link || made.some(({ info }) => info.link === name)
  }

  /** Bridges, and the links of containers in them; one at a time. */
  async #mendLinks(): Promise<boolean> {
    using _mending = await this.#links.acquire('')
    const mended = await this.#ensure()
    await this.#bridges.enslaveAll()
    return mended
  }

  /** Everything in the kernel stays, but for what goes with the daemon. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#firewall.close()
  }

  async destroy(): Promise<void> {
    await this.#ready?.publisher.close()
    await this.#firewall.destroy()
    for (const info of this.#infos()) {
      if (isShared(info)) await this.#parents.leave(info, () => [])
      else await removeBridge(this.#deps(), info.link, linkAddress(info.id))
    }
    this.#networks.clear()
    this.#made.clear()
    this.#ready = undefined
    this.#preparing = undefined
  }

  /** True when a bridge or a setting had to be mended. */
  async #ensure(): Promise<boolean> {
    this.#preparing ??= this.#prepare()
    let ready: Ready
    try {
      ready = this.#ready = await this.#preparing
    } catch (error) {
      this.#preparing = undefined
      throw error
    }
    const mended = this.#link !== '' && (await this.#bridges.ensure(ready.bridge))
    const others = await this.#ensureMade()
    const enabled = await this.#enableForwarding()
    const apart = await this.#ensureApart()
    this.#firewall.note(ready.bridge.elements)
    await this.#firewall.install(enabled)
    return mended || others || enabled || apart
  }

  /** All networks but the default one. */
  async #ensureMade(): Promise<boolean> {
    const networks = [...this.#made].map((id) => this.#known(id))
    if (networks.length === 0) return false
    const known = await bridgeStates(this.#deps())
    let mended = false
    const round = this.#round++ % ROUNDS
    for (const [i, network] of networks.entries()) {
      using _lock = await this.#links.acquire(network.info.id)
      if (!this.#made.has(network.info.id)) continue
      try {
        if (isShared(network.info)) {
          const due = i % ROUNDS === round
          mended = (await this.#parents.look(network.info, due)) || mended
          continue
        }
        const state = known.get(network.info.link)
        mended = (await this.#bridges.ensure(network, { state, settled: i % ROUNDS !== round })) || mended
      } catch (error) {
        this.#options.logger.error('the bridge of a network cannot be made', {
          network: network.info.name,
          error,
        })
      }
    }
    return mended
  }

  #infos(): NetworkInfo[] {
    return [...this.#networks.values()].map(({ info }) => info)
  }

  /** Containers of a network without icc must not get past the firewall. */
  async #ensureApart(): Promise<boolean> {
    const apart = this.#infos().filter((info) => !info.icc && !isShared(info))
    if (apart.length === 0) return false
    const ipv6 = apart.some(({ subnets }) => subnets.some(({ subnet }) => subnet.includes(':')))
    return ensureBridgeFilter(this.#deps(), ipv6)
  }

  async #enableForwarding(): Promise<boolean> {
    const ipv6 = this.#infos().some(
      (info) => !isShared(info) && info.subnets.some(({ subnet }) => subnet.includes(':')),
    )
    return enableForwarding(this.#sysctls, ipv6)
  }

  /** Decides the addresses; touches nothing. */
  async #prepare(): Promise<Ready> {
    const { networkId: id, mtu = 1500, address, address6, pools, range, icc = true } = this.#options
    const wanted = { link: this.#link, address, address6, pools, range }
    const subnets = this.#link === '' ? [] : await defaultSubnets(this.#deps(), wanted)
    const publisher = new Publisher({
      firewall: this.#firewall,
      holds: this.#options.holds ?? new SocketPortHolds(),
      ports: await this.#portTable(),
      directRouting: this.#options.directRouting,
      logger: this.#options.logger,
    })
    const bridge = this.#network({
      id,
      name: 'bridge',
      link: this.#link,
      mtu,
      internal: false,
      icc,
      masquerade: true,
      subnets,
    })
    this.#networks.set(id, bridge)
    return { bridge, publisher }
  }

  async #portTable(): Promise<PortTable> {
    const range = await this.#sysctls.read('net', 'ipv4', 'ip_local_port_range')
    const reserved = await this.#sysctls.read('net', 'ipv4', 'ip_local_reserved_ports')
    return new PortTable({
      ephemeral: parsePortRange(range ?? '') ?? { first: 49153, last: 65535 },
      reserved: parseReservedPorts(reserved ?? ''),
      ipv6: existsSync('/proc/net/if_inet6'),
      defaultAddress: this.#options.publishDefault,
    })
  }

  #network(info: NetworkInfo): BridgeNetwork {
    const { quarantine = DEFAULT_QUARANTINE, now = () => performance.now() } = this.#options
    return new BridgeNetwork(info, { quarantine, now })
  }

  #known(id: string): BridgeNetwork {
    const network = this.#networks.get(id)
    if (network === undefined) throw noSuchNetwork(id)
    return network
  }

  #deps(): LinkDeps {
    return { helper: this.#options.helper, sysctls: this.#sysctls }
  }

  #get(): Ready {
    if (this.#ready !== undefined) return this.#ready
    throw new EngineError('unavailable', 'the network is not set up yet', { code: 'NETWORK_NOT_READY' })
  }
}

/** Failures get the words of Docker around them. */
async function withEndpoint<T>(
  work: Promise<T>,
  target: PublishTarget,
  name: string | undefined,
): Promise<T> {
  try {
    return await work
  } catch (error) {
    const cause = engineErrorOf(error)
    if (cause === undefined || name === undefined) throw error
    throw connectivityFailed(name, target.id, cause)
  }
}
