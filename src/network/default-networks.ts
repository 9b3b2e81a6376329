import { existsSync } from 'node:fs'
import { EngineError, engineErrorOf } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import type { Logger } from '#base/logger.ts'
import type { Helper } from '#os/helper.ts'
import type { Sysctls } from '#os/proc/sysctl.ts'
import { kernelSysctls } from '#os/proc/sysctl.ts'
import type { Cidr } from './address.ts'
import { addressAt, formatCidr, offsetOf, parseCidr } from './address.ts'
import { enableForwarding, ensureBridge, hostRoutes, linkState, removeBridge } from './bridge.ts'
import { connectivityFailed } from './errors.ts'
import { Firewall } from './firewall.ts'
import { AddressPool, choosePool, defaultPools, randomMac, routedRanges } from './ipam.ts'
import type { BridgeInfo, Endpoint, LeaseRequest, Networks, PortRequest, PublishedPort } from './networks.ts'
import { bridgeElements } from './nft-table.ts'
import type { PortHolds } from './port-holds.ts'
import { SocketPortHolds } from './port-holds.ts'
import { PortTable, parsePortRange, parseReservedPorts } from './ports.ts'
import { Publisher } from './publisher.ts'

export interface DefaultBridgeOptions {
  readonly helper: Pick<Helper, 'run'>
  readonly logger: Logger
  /** Id of the network named `bridge`; stored by the caller, so that it stays the same. */
  readonly networkId: string
  /** Interface name of the bridge. */
  readonly link?: string | undefined
  /** nft table in the `inet` family. */
  readonly table?: string | undefined
  /** Gateway with prefix length (dockerd's `bip`); otherwise the bridge's present address, or the first free pool. */
  readonly address?: string | undefined
  /** Gateway with prefix length; IPv6 is off without it. */
  readonly address6?: string | undefined
  readonly mtu?: number | undefined
  readonly pools?: readonly string[] | undefined
  /** Whether containers of the bridge reach each other. */
  readonly icc?: boolean | undefined
  readonly sysctls?: Sysctls | undefined
  readonly holds?: PortHolds | undefined
  /** Monotonic, in ms. */
  readonly now?: (() => number) | undefined
  /** How long a released address rests, in ms. */
  readonly quarantine?: number | undefined
}

/** Everything that is known once the bridge exists. */
interface Ready {
  readonly bridge: BridgeInfo
  /** With prefix length. */
  readonly addresses: readonly string[]
  readonly pool4: AddressPool
  readonly pool6: AddressPool | undefined
  readonly publisher: Publisher
}

const DEFAULT_QUARANTINE = 30_000

/** The predefined network `bridge`. */
export class DefaultBridgeNetworks implements Networks {
  readonly #options: DefaultBridgeOptions
  readonly #link: string
  readonly #sysctls: Sysctls
  readonly #firewall: Firewall
  readonly #leases = new Map<string, Endpoint>()
  readonly #macs = new Set<string>()
  #preparing: Promise<Ready> | undefined
  #ready: Ready | undefined

  constructor(options: DefaultBridgeOptions) {
    this.#options = options
    this.#link = options.link ?? 'berth0'
    this.#sysctls = options.sysctls ?? kernelSysctls
    const { helper, logger } = options
    this.#firewall = new Firewall({ helper, logger, table: options.table ?? 'berth' })
  }

  get bridge(): BridgeInfo {
    return this.#get().bridge
  }

  async ensure(): Promise<void> {
    await this.#ensure()
  }

  lease(request: LeaseRequest): Endpoint {
    const { containerId } = request
    const { bridge, pool4, pool6 } = this.#get()
    if (this.#leases.has(containerId)) {
      throw new EngineError(
        'conflict',
        `container ${containerId} is already attached to network ${bridge.name}`,
        {
          code: 'ENDPOINT_EXISTS',
        },
      )
    }
    const mac = this.#mac(request.mac)
    const ipv4 = pool4.take()
    const ipv6 = pool6?.take()
    const id = newId()
    const endpoint: Endpoint = {
      id,
      networkId: bridge.id,
      veth: vethName(containerId, id),
      mac,
      ipv4,
      ipv4Prefix: pool4.subnet.prefix,
      gateway: bridge.subnets[0]?.gateway ?? '',
      ...(ipv6 === undefined || pool6 === undefined
        ? {}
        : { ipv6, ipv6Prefix: pool6.subnet.prefix, gateway6: bridge.subnets[1]?.gateway }),
    }
    this.#keep(containerId, endpoint)
    return endpoint
  }

  adopt(containerId: string, endpoint: Endpoint): void {
    const { pool4, pool6 } = this.#get()
    const free = pool4.claim(endpoint.ipv4)
    if (!free)
      this.#options.logger.warn('adopted address is in use twice', { containerId, address: endpoint.ipv4 })
    if (endpoint.ipv6 !== undefined) pool6?.claim(endpoint.ipv6)
    this.#keep(containerId, endpoint)
  }

  release(containerId: string): void {
    const endpoint = this.#leases.get(containerId)
    if (endpoint === undefined) return
    const { pool4, pool6 } = this.#get()
    this.#leases.delete(containerId)
    this.#macs.delete(endpoint.mac)
    pool4.release(endpoint.ipv4)
    if (endpoint.ipv6 !== undefined) pool6?.release(endpoint.ipv6)
  }

  async publish(
    containerId: string,
    endpoint: Endpoint,
    ports: readonly PortRequest[],
    options: { readonly name?: string | undefined } = {},
  ): Promise<readonly PublishedPort[]> {
    if (ports.length === 0) return []
    try {
      return await this.#get().publisher.publish(containerId, endpoint, ports)
    } catch (error) {
      const cause = engineErrorOf(error)
      if (cause === undefined || options.name === undefined) throw error
      throw connectivityFailed(options.name, endpoint.id, cause)
    }
  }

  adoptPublished(containerId: string, endpoint: Endpoint, ports: readonly PublishedPort[]): void {
    if (ports.length > 0) this.#get().publisher.adopt(containerId, endpoint, ports)
  }

  async unpublish(containerId: string): Promise<void> {
    await this.#get().publisher.unpublish(containerId)
  }

  async reconcile(): Promise<boolean> {
    const bridge = await this.#ensure()
    const firewall = await this.#firewall.reconcile()
    const holds = await this.#get().publisher.holdMissing()
    return bridge || firewall || holds
  }

  async destroy(): Promise<void> {
    await this.#ready?.publisher.close()
    await this.#firewall.destroy()
    await removeBridge(this.#deps(), this.#link)
    this.#ready = undefined
    this.#preparing = undefined
  }

  /** True when the bridge or a setting had to be mended. */
  async #ensure(): Promise<boolean> {
    this.#preparing ??= this.#prepare()
    let ready: Ready
    try {
      ready = this.#ready = await this.#preparing
    } catch (error) {
      this.#preparing = undefined
      throw error
    }
    const mended = await ensureBridge(this.#deps(), {
      link: this.#link,
      mtu: ready.bridge.mtu,
      addresses: ready.addresses,
    })
    const enabled = await enableForwarding(this.#sysctls, ready.pool6 !== undefined)
    const subnets = ready.bridge.subnets.map(({ subnet }) => subnet)
    this.#firewall.note(bridgeElements(this.#link, subnets, this.#options.icc ?? true))
    await this.#firewall.install(enabled)
    return mended || enabled
  }

  /** Decides the addresses; touches nothing. */
  async #prepare(): Promise<Ready> {
    const { networkId: id, mtu = 1500, address6 } = this.#options
    const address = this.#options.address ?? (await this.#presentAddress()) ?? (await this.#freeAddress())
    const subnet4 = subnetOf(address)
    const subnet6 = address6 === undefined ? undefined : subnetOf(address6)
    const publisher = new Publisher({
      firewall: this.#firewall,
      holds: this.#options.holds ?? new SocketPortHolds(),
      ports: await this.#portTable(),
      logger: this.#options.logger,
    })
    return {
      bridge: {
        id,
        name: 'bridge',
        link: this.#link,
        mtu,
        subnets: [subnet4, ...(subnet6 === undefined ? [] : [subnet6])].map(({ cidr, gateway }) => ({
          subnet: formatCidr(cidr),
          gateway,
        })),
      },
      addresses: [subnet4, ...(subnet6 === undefined ? [] : [subnet6])].map(
        ({ cidr, gateway }) => `${gateway}/${cidr.prefix}`,
      ),
      pool4: this.#pool(subnet4),
      pool6: subnet6 === undefined ? undefined : this.#pool(subnet6),
      publisher,
    }
  }

  /** Containers of a former daemon live in the bridge's subnet: it is kept. */
  async #presentAddress(): Promise<string | undefined> {
    const state = await linkState(this.#deps(), this.#link)
    return state?.addresses.find((address) => !address.includes(':'))
  }

  async #freeAddress(): Promise<string> {
    const taken = routedRanges(await hostRoutes(this.#deps()), this.#link)
    const cidr = choosePool(taken, this.#options.pools ?? defaultPools)
    return `${addressAt(cidr, 1)}/${cidr.prefix}`
  }

  async #portTable(): Promise<PortTable> {
    const range = await this.#sysctls.read('net', 'ipv4', 'ip_local_port_range')
    const reserved = await this.#sysctls.read('net', 'ipv4', 'ip_local_reserved_ports')
    return new PortTable({
      ephemeral: parsePortRange(range ?? '') ?? { first: 49153, last: 65535 },
      reserved: parseReservedPorts(reserved ?? ''),
      ipv6: existsSync('/proc/net/if_inet6'),
    })
  }

  #pool({ cidr, gateway }: Subnet): AddressPool {
    return new AddressPool(cidr, {
      reserved: [gateway],
      quarantine: this.#options.quarantine ?? DEFAULT_QUARANTINE,
      now: this.#options.now ?? (() => performance.now()),
    })
  }

  #mac(wanted: string | undefined): string {
    if (wanted !== undefined) {
      const mac = wanted.toLowerCase().replaceAll('-', ':')
      if (!this.#macs.has(mac)) return mac
      throw new EngineError('conflict', `MAC address ${mac} is already in use on this network`, {
        code: 'MAC_IN_USE',
      })
    }
    for (;;) {
      const mac = randomMac()
      if (!this.#macs.has(mac)) return mac
    }
  }

  #keep(containerId: string, endpoint: Endpoint): void {
    this.#leases.set(containerId, endpoint)
    this.#macs.add(endpoint.mac)
  }

  #deps(): { readonly helper: Pick<Helper, 'run'>; readonly sysctls: Sysctls } {
    return { helper: this.#options.helper, sysctls: this.#sysctls }
  }

  #get(): Ready {
    if (this.#ready !== undefined) return this.#ready
    throw new EngineError('unavailable', 'the network is not set up yet', { code: 'NETWORK_NOT_READY' })
  }
}

/**
 * `v`, ten digits of the container's id, four of the endpoint's: a restart comes before the kernel has taken the
 * former pair away, so its name must differ.
 */
function vethName(containerId: string, endpointId: string): string {
  return `v${containerId.slice(0, 10)}${endpointId.slice(0, 4)}`
}

interface Subnet {
  readonly cidr: Cidr
  readonly gateway: string
}

function subnetOf(address: string): Subnet {
  const cidr = parseCidr(address)
  return { cidr, gateway: addressAt(cidr, offsetOf(cidr, address.split('/')[0] ?? '')) }
}
