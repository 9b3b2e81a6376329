/** Which subnets a new network gets; pure. */
import { createHash } from 'node:crypto'
import type { Cidr } from './address.ts'
import { addressAt, encloses, formatCidr, overlaps, parseCidr, sizeOf } from './address.ts'
import { modeOf } from './direct-ports.ts'
import { auxiliaryInUse, multipleSubnets, poolOverlaps, poolsExhausted } from './errors.ts'
import type { NetworkRequest, SubnetInfo, SubnetRequest } from './networks.ts'

/** A range that is cut into subnets of one size, as dockerd's `default-address-pools` has it. */
export interface PoolBase {
  readonly base: string
  /** Prefix length of the subnets. */
  readonly size: number
}

/**
 * Docker's local ranges but for that of the default bridge, in pieces of /24: small, so that there are thousands, and a VPN
 * is hit by few. 192.168.0.0/20 is what home routers and their VPNs use.
 */
export const defaultPoolBases: readonly PoolBase[] = [
  { base: '172.18.0.0/15', size: 24 },
  { base: '172.20.0.0/14', size: 24 },
  { base: '172.24.0.0/13', size: 24 },
  ...[1, 2, 4, 8].map((n) => ({ base: `192.168.${16 * n}.0/${16 + (4 - Math.log2(n))}`, size: 24 })),
]

export interface Surroundings {
  /** Subnets of other networks. */
  readonly networks: readonly { readonly name: string; readonly subnet: Cidr }[]
  /** Destinations of the host's routes through links that are not ours. */
  readonly routes: readonly Cidr[]
  readonly pools: readonly PoolBase[]
  /** What IPv6 subnets are derived from where no pool has any: stays the same for an engine. */
  readonly seed: string
}

/** The subnets of a network, those that were asked for first; with all that was left open decided. */
export function chooseSubnets(request: NetworkRequest, around: Surroundings): SubnetInfo[] {
  const asked = request.subnets.filter(({ subnet }) => subnet !== undefined)
  const open = request.subnets.find(({ subnet }) => subnet === undefined)
  const has = (family: 4 | 6): boolean => asked.some(({ subnet = '' }) => parseCidr(subnet).family === family)
  const missing = ([4, 6] as const).filter(
    (family) => (family === 4 ? request.ipv4 : request.ipv6) && !has(family),
  )
  const chosen: { cidr: Cidr; request: SubnetRequest }[] = []
  const taken = (): Cidr[] => [
    ...around.networks.map(({ subnet }) => subnet),
    ...around.routes,
    ...chosen.map(({ cidr }) => cidr),
  ]
  for (const one of asked) {
    const siblings = chosen.map(({ cidr }) => ({ name: request.name, subnet: cidr }))
    const others = { ...around, networks: [...around.networks, ...siblings] }
    chosen.push({ cidr: askedSubnet(one.subnet ?? '', others, taken()), request: one })
  }
  const families = chosen.map(({ cidr }) => cidr.family)
  if (request.shared === undefined && new Set(families).size < families.length) throw multipleSubnets()
  for (const family of missing) {
    const cidr = freeSubnet(poolsOf(family, around), taken())
    chosen.push({ cidr, request: family === 4 ? (open ?? {}) : {} })
  }
  const subnets = chosen.map(({ cidr, request: { gateway, range, auxiliary } }) => ({
    subnet: formatCidr(cidr),
    gateway: gateway ?? (hasGateway(request, cidr.family) ? firstAddress(cidr, range) : ''),
    ...(range === undefined ? {} : { range }),
    ...(auxiliary === undefined ? {} : { auxiliary }),
  }))
  for (const subnet of subnets) checkAuxiliary(subnet)
  return subnets
}

/** No two of the network's own addresses are one. */
function checkAuxiliary({ gateway, auxiliary = {} }: SubnetInfo): void {
  const taken = new Set([gateway])
  for (const [name, address] of Object.entries(auxiliary)) {
    if (taken.has(address)) throw auxiliaryInUse(name, address)
    taken.add(address)
  }
}

/** Routes of the host that a subnet which was asked for would cover or be covered by. */
export function conflictingRoutes(subnets: readonly SubnetInfo[], routes: readonly Cidr[]): string[] {
  return routes
    .filter((route) => subnets.some(({ subnet }) => overlaps(parseCidr(subnet), route)))
    .map(formatCidr)
}

/** On somebody else's network there is only the router that was named; none where nobody is one. */
function hasGateway({ shared, modes, inhibit4, internal }: NetworkRequest, family: 4 | 6): boolean {
  const unused = family === 4 && inhibit4 === true && internal
  return shared === undefined && modeOf({ modes }, family) !== 'isolated' && !unused
}

function askedSubnet(text: string, { networks, pools }: Surroundings, taken: readonly Cidr[]): Cidr {
  const cidr = parseCidr(text)
  if (cidr.base === 0n) {
    const sized = pools
      .filter(({ base }) => parseCidr(base).family === cidr.family && parseCidr(base).prefix <= cidr.prefix)
      .map(({ base }) => ({ base, size: cidr.prefix }))
    return freeSubnet(sized, taken)
  }
  const other = networks.find(({ subnet }) => overlaps(subnet, cidr))
  if (other !== undefined) throw poolOverlaps(text, other)
  return cidr
}

function poolsOf(family: 4 | 6, { pools, seed }: Surroundings): readonly PoolBase[] {
  const own = pools.filter(({ base }) => parseCidr(base).family === family)
  return family === 4 || own.length > 0 ? own : [uniqueLocal(seed)]
}

/** A unique local range (RFC 4193) of this engine's own. */
function uniqueLocal(seed: string): PoolBase {
  const hex = createHash('sha256').update(`berth ${seed}`).digest('hex')
  return { base: `fd${hex.slice(0, 2)}:${hex.slice(2, 6)}:${hex.slice(6, 10)}::/48`, size: 64 }
}

/** The first subnet of the pools that overlaps nothing taken. */
export function freeSubnet(pools: readonly PoolBase[], taken: readonly Cidr[]): Cidr {
  for (const { base, size } of pools) {
    const pool = parseCidr(base)
    const free = firstFree(pool, size, sorted(taken, pool))
    if (free !== undefined) return free
  }
  throw poolsExhausted({ pools, taken: taken.map(formatCidr) })
}

function sorted(taken: readonly Cidr[], pool: Cidr): Cidr[] {
  return taken
    .filter((cidr) => overlaps(cidr, pool))
    .toSorted((a, b) => (a.base < b.base ? -1 : a.base > b.base ? 1 : 0))
}

/** One pass over what is taken, ordered by where it begins. */
function firstFree(pool: Cidr, prefix: number, taken: readonly Cidr[]): Cidr | undefined {
  const candidate = (base: bigint): Cidr => ({ family: pool.family, base, prefix })
  const size = sizeOf(candidate(0n))
  let base = pool.base
  for (const other of taken) {
    if (other.base >= base + size) break
    const end = other.base + sizeOf(other)
    if (end > base) base = pool.base + ((end - pool.base + size - 1n) / size) * size
  }
  return encloses(pool, candidate(base)) ? candidate(base) : undefined
}

/** The gateway: the first address, of the range if there is one. */
function firstAddress(cidr: Cidr, range: string | undefined): string {
  const within = range === undefined ? cidr : parseCidr(range)
  const first = within.base === cidr.base ? 1 : 0
  return addressAt(within, cidr.prefix >= (cidr.family === 4 ? 31 : 127) ? 0 : first)
}
