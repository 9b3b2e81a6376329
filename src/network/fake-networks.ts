import { isDeepStrictEqual } from 'node:util'
import { EngineError } from '#base/errors.ts'
import { parseCidr } from './address.ts'
import { BridgeNetwork } from './bridge-network.ts'
import { isDirect, splitRequests } from './direct-ports.ts'
import type { PathReport } from './endpoint-path.ts'
import { connectivityFailed, noSuchNetwork } from './errors.ts'
import type { FirewallReport } from './firewall-report.ts'
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
import { PortTable } from './ports.ts'
import { chooseSubnets, defaultPoolBases } from './subnets.ts'

/** Networks without a kernel: leases and reservations are real, nothing is forwarded. */
export class FakeNetworks implements Networks {
  readonly bridge: NetworkInfo = {
    id: 'a'.repeat(64),
    name: 'bridge',
    link: 'berth0',
    mtu: 1500,
    internal: false,
    icc: true,
    masquerade: true,
    subnets: [{ subnet: '172.17.0.0/16', gateway: '172.17.0.1' }],
  }
  readonly published = new Map<string, readonly PublishedPort[]>()
  /** Where the published ports lead. */
  readonly targets = new Map<string, PublishTarget>()
  /** Names of host links that were plugged into running containers. */
  readonly plugged = new Set<string>()
  /** What containers reach on a bridge without icc. */
  readonly linked = new Map<string, readonly LinkedPort[]>()
  /** Default routes by process. */
  readonly ways = new Map<number, Ways>()
  /** Networks whose bridge is there. */
  readonly made = new Set<string>()
  /** What is to be found wrong. */
  firewallIs: Partial<FirewallReport> = {}
  pathIs: Partial<PathReport> = {}
  readonly #networks = new Map<string, BridgeNetwork>([[this.bridge.id, this.#network(this.bridge)]])
  readonly #ports = new PortTable({ ephemeral: { first: 32768, last: 60999 }, ipv6: true })

  async ensure(): Promise<void> {}

  /** Endpoints by container, those of the default bridge. */
  get leased(): ReadonlyMap<string, Endpoint> {
    return this.leases(this.bridge.id)
  }

  async plan(request: NetworkRequest): Promise<NetworkInfo> {
    const networks = [...this.#networks.values()].flatMap(({ info }) =>
      info.subnets.map(({ subnet }) => ({ name: info.name, subnet: parseCidr(subnet) })),
    )
    const around = { networks, routes: [], pools: defaultPoolBases, seed: 'fake' }
    const { ipv4: _ipv4, ipv6: _ipv6, ...rest } = request
    const info: NetworkInfo = { ...rest, subnets: chooseSubnets(request, around) }
    this.#networks.set(info.id, this.#network(info))
    return info
  }

  async create(id: string): Promise<void> {
    this.made.add(this.#known(id).info.id)
  }

  async adoptNetworks(networks: readonly NetworkInfo[]): Promise<void> {
    for (const info of networks) {
      this.#networks.set(info.id, this.#network(info))
      this.made.add(info.id)
    }
  }

  async removeNetwork({ id }: NetworkInfo): Promise<void> {
    this.#networks.delete(id)
    this.made.delete(id)
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
    this.#known(endpoint.networkId).adopt(containerId, endpoint)
  }

  release(containerId: string, networkId?: string): void {
    const networks = networkId === undefined ? this.#networks.values() : [this.#known(networkId)]
    for (const network of networks) network.release(containerId, networkId !== undefined)
  }

  async plug(_pid: number, endpoint: Endpoint): Promise<void> {
    this.plugged.add(endpoint.veth)
  }

  async unplug(_pid: number, endpoint: Endpoint): Promise<void> {
    this.plugged.delete(endpoint.veth)
  }

  async route(pid: number, ways: Ways): Promise<void> {
    this.ways.set(pid, ways)
  }

  async publish(
    containerId: string,
    target: PublishTarget,
    ports: readonly PortRequest[],
    options: { readonly name?: string | undefined } = {},
  ): Promise<readonly PublishedPort[]> {
    return this.republish(containerId, target, { add: ports, remove: [] }, options)
  }

  async republish(
    containerId: string,
    target: PublishTarget,
    { add, remove }: PortChange,
    options: { readonly name?: string | undefined } = {},
  ): Promise<readonly PublishedPort[]> {
    const before = this.published.get(containerId) ?? []
    const leaving = before.filter((port) => remove.some((one) => isDeepStrictEqual(one, port)))
    try {
      const { translated, direct } = splitRequests(target, add)
      const reserved = this.#ports.reserve(containerId, translated, new Set(), leaving)
      const added = [...reserved.map(({ port }) => port), ...direct]
      this.#ports.leave(containerId, leaving)
      const published = [...before.filter((port) => !leaving.includes(port)), ...added]
      this.published.set(containerId, published)
      this.targets.set(containerId, target)
      return published
    } catch (error) {
      if (!(error instanceof EngineError) || options.name === undefined) throw error
      throw connectivityFailed(options.name, target.id, error)
    }
  }

  adoptPublished(containerId: string, target: PublishTarget, ports: readonly PublishedPort[]): void {
    for (const port of ports) if (!isDirect(port)) this.#ports.adopt(containerId, port)
    this.published.set(containerId, ports)
    this.targets.set(containerId, target)
  }

  async retarget(containerId: string, target: PublishTarget): Promise<void> {
    if (this.targets.has(containerId)) this.targets.set(containerId, target)
  }

  async unpublish(containerId: string): Promise<void> {
    this.#ports.release(containerId)
    this.published.delete(containerId)
    this.targets.delete(containerId)
  }

  async firewall(): Promise<FirewallReport> {
    const ports = [...this.published].flatMap(([containerId, published]) =>
      published.map((port) => {
        const { ipv4, ipv6 } = this.targets.get(containerId) ?? {}
        const address = (port.hostIp.includes(':') ? (ipv6 ?? ipv4) : (ipv4 ?? ipv6)) ?? ''
        const text = `dnat ${port.hostIp} ${port.protocol} ${port.hostPort}`
        return { containerId, port, address, rules: [{ text, inForce: true }], held: true }
      }),
    )
    return {
      table: 'berth',
      present: true,
      respect: false,
      drift: [],
      foreign: { chains: [] },
      ports,
      ...this.firewallIs,
    }
  }

  async path(): Promise<PathReport> {
    const fine = {
      forwarding: true,
      bridge: 'up',
      link: 'up',
      inside: true,
      wayBack: true,
      route: 'berth0',
    } as const
    return { ...fine, ...this.pathIs }
  }

  async allow(containerId: string, ports: readonly LinkedPort[]): Promise<void> {
    if (ports.length === 0) this.linked.delete(containerId)
    else this.linked.set(containerId, ports)
  }

  async reconcile(): Promise<boolean> {
    return false
  }

  async destroy(): Promise<void> {
    this.published.clear()
    this.#networks.clear()
  }

  #network(info: NetworkInfo): BridgeNetwork {
    return new BridgeNetwork(info, { quarantine: 0, now: () => 0 })
  }

  #known(id: string): BridgeNetwork {
    const network = this.#networks.get(id)
    if (network === undefined) throw noSuchNetwork(id)
    return network
  }
}
