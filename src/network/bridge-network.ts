import { EngineError } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import { canonicalAddress, contains, parseCidr } from './address.ts'
import { modeOf } from './direct-ports.ts'
import { addressInUse, outsideSubnets } from './errors.ts'
import { AddressPool, addressMac, randomMac } from './ipam.ts'
import type { Endpoint, LeaseRequest, NetworkInfo, SubnetInfo } from './networks.ts'
import { bridgeElements, deafElement } from './network-elements.ts'
import type { Element } from './nft-elements.ts'
import { deafEnd } from './parent-link.ts'

export interface PoolTimes {
  /** How long a released address rests, in ms. */
  readonly quarantine: number
  /** Monotonic, in ms. */
  readonly now: () => number
}

interface Taken {
  readonly pool: Pool
  readonly address: string
}

interface Pool {
  readonly subnet: SubnetInfo
  readonly addresses: AddressPool
}

/** Who has which address of one network; decides, and touches nothing. */
export class BridgeNetwork {
  readonly info: NetworkInfo
  readonly #pools: readonly Pool[]
  readonly #leases = new Map<string, Endpoint>()
  readonly #macs = new Set<string>()

  constructor(info: NetworkInfo, times: PoolTimes) {
    this.info = info
    this.#pools = info.subnets.map((subnet) => ({
      subnet,
      addresses: new AddressPool(parseCidr(subnet.subnet), {
        reserved: [subnet.gateway, ...Object.values(subnet.auxiliary ?? {})].filter((one) => one !== ''),
        range: subnet.range === undefined ? undefined : parseCidr(subnet.range),
        ...times,
      }),
    }))
  }

  get leases(): ReadonlyMap<string, Endpoint> {
    return this.#leases
  }

  /** The bridge's own addresses, with prefix length. */
  get addresses(): string[] {
    return this.#subnets()
      .filter(({ gateway }) => gateway !== '')
      .map(({ subnet, gateway }) => `${gateway}/${parseCidr(subnet).prefix}`)
  }

  /** What the firewall knows of the network. */
  get elements(): Element[] {
    const { id, link, icc, internal, masquerade, shared, sources, modes, trusted } = this.info
    // Its packets never pass the host's stack, and are not to.
    if (link === '') return []
    if (shared !== undefined) return shared.made === 'nowhere' ? [deafElement(deafEnd(id))] : []
    return bridgeElements(link, this.#subnets(), { icc, internal, masquerade, sources, modes, trusted })
  }

  lease(request: LeaseRequest): Endpoint {
    const { containerId, ifname = 'eth0' } = request
    const { info } = this
    if (this.#leases.has(containerId)) {
      throw new EngineError(
        'conflict',
        `container ${containerId} is already attached to network ${info.name}`,
        { code: 'ENDPOINT_EXISTS' },
      )
    }
    if (info.shared?.mode === 'passthru' && this.#leases.size > 0) throw parentTaken(info)
    const wanted = hasOwnMac(info) ? this.#wantedMac(request.mac) : ofParent(info, request.mac)
    const ipv4 = this.#address(4, request.ipv4, request.avoid)
    let ipv6: Taken | undefined
    try {
      if (request.withoutIpv6 !== true) ipv6 = this.#address(6, request.ipv6, request.avoid)
    } catch (error) {
      if (ipv4 !== undefined) ipv4.pool.addresses.release(ipv4.address)
      throw error
    }
    // What its owner keeps: the address that was asked for.
    const kept = request.ipv4 === undefined && request.ipv6 !== undefined ? ipv6 : (ipv4 ?? ipv6)
    const id = newId()
    const endpoint: Endpoint = {
      id,
      networkId: info.id,
      network: info.name,
      ifname,
      veth: vethName(containerId, id),
      mac: wanted ?? this.#freeMac(kept?.address),
      ...(ipv4 === undefined
        ? {}
        : {
            ipv4: ipv4.address,
            ipv4Prefix: ipv4.pool.addresses.subnet.prefix,
            gateway: gatewayOf(info, ipv4.pool),
          }),
      ...(ipv6 === undefined
        ? {}
        : {
            ipv6: ipv6.address,
            ipv6Prefix: ipv6.pool.addresses.subnet.prefix,
            gateway6: gatewayOf(info, ipv6.pool),
          }),
    }
    this.#keep(containerId, endpoint)
    return endpoint
  }

  /** `false` when one of its addresses belongs to another container by now. */
  adopt(containerId: string, endpoint: Endpoint): boolean {
    const claimed = [endpoint.ipv4, endpoint.ipv6].map(
      (address) => address === undefined || this.#pools.every(({ addresses }) => addresses.claim(address)),
    )
    this.#keep(containerId, endpoint)
    return claimed.every(Boolean)
  }

  /** `gone`: as for AddressPool. */
  release(containerId: string, gone = false): void {
    const endpoint = this.#leases.get(containerId)
    if (endpoint === undefined) return
    this.#leases.delete(containerId)
    this.#macs.delete(endpoint.mac)
    for (const address of [endpoint.ipv4, endpoint.ipv6]) {
      if (address !== undefined) for (const { addresses } of this.#pools) addresses.release(address, gone)
    }
  }

  /** Taken and free addresses per subnet. */
  usage(): Readonly<Record<string, { readonly inUse: number; readonly available: number }>> {
    return Object.fromEntries(
      this.#pools.map(({ subnet, addresses }) => [
        subnet.subnet,
        { inUse: addresses.inUse, available: addresses.available },
      ]),
    )
  }

  /** With the gateway that the bridge is; none where it is isolated, or somebody else is the gateway. */
  #subnets(): Pick<SubnetInfo, 'subnet' | 'gateway'>[] {
    return this.info.subnets.map(({ subnet, gateway }) => {
      const family = subnet.includes(':') ? 6 : 4
      const bare = modeOf(this.info, family) === 'isolated' || (family === 4 && this.info.inhibit4 === true)
      return { subnet, gateway: bare ? '' : gateway }
    })
  }

  #address(family: 4 | 6, wanted: string | undefined, avoid: LeaseRequest['avoid']): Taken | undefined {
    const pools = this.#pools.filter(({ addresses }) => addresses.subnet.family === family)
    if (wanted === undefined) {
      const pool = pools.find(({ addresses }) => addresses.available > 0) ?? pools[0]
      return pool === undefined ? undefined : { pool, address: pool.addresses.take(avoid) }
    }
    const address = canonicalAddress(wanted)
    const pool = pools.find(({ addresses }) => contains(addresses.subnet, address))
    if (pool === undefined) throw outsideSubnets(address)
    if (!pool.addresses.claim(address)) throw addressInUse(address)
    return { pool, address }
  }

  #wantedMac(wanted: string | undefined): string | undefined {
    const mac = wanted?.toLowerCase().replaceAll('-', ':')
    if (mac === undefined || !this.#macs.has(mac)) return mac
    throw new EngineError('conflict', `MAC address ${mac} is already in use on this network`, {
      code: 'MAC_IN_USE',
    })
  }

  #freeMac(address: string | undefined): string {
    let mac = address === undefined ? randomMac() : addressMac(this.info.id, address)
    while (this.#macs.has(mac)) mac = randomMac()
    return mac
  }

  #keep(containerId: string, endpoint: Endpoint): void {
    this.#leases.set(containerId, endpoint)
    if (endpoint.mac !== '') this.#macs.add(endpoint.mac)
  }
}

/** With ipvlan and passthru it is the parent's. */
function hasOwnMac({ shared }: NetworkInfo): boolean {
  return shared?.kind !== 'ipvlan' && shared?.mode !== 'passthru'
}

function ofParent({ shared }: NetworkInfo, wanted: string | undefined): string {
  if (wanted === undefined) return ''
  const whose = shared?.kind === 'ipvlan' ? 'ipvlan interfaces' : 'macvlan interfaces in mode passthru'
  throw new EngineError('permission_denied', `${whose} do not support custom mac address assignment`, {
    code: 'NETWORK_MAC_FIXED',
  })
}

function parentTaken({ name, link }: NetworkInfo): EngineError {
  return new EngineError(
    'conflict',
    `network ${name} has mode passthru: one container has ${link} to itself, and there is one`,
    { code: 'NETWORK_PARENT_IN_USE', details: { network: name, link } },
  )
}

function gatewayOf({ internal, shared }: NetworkInfo, { subnet, addresses }: Pool): string | undefined {
  if (internal) return undefined
  // The parent routes for its ipvlan interfaces.
  const routed = shared?.kind === 'ipvlan' && shared.mode !== 'l2'
  if (routed) return addresses.subnet.family === 4 ? '0.0.0.0' : '::'
  return subnet.gateway === '' ? undefined : subnet.gateway
}

/**
 * `v`, ten digits of the container's id, four of the endpoint's: a restart comes before the kernel has taken the
 * former pair away, so its name must differ.
 */
function vethName(containerId: string, endpointId: string): string {
  return `v${containerId.slice(0, 10)}${endpointId.slice(0, 4)}`
}
