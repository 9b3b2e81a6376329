/** Which subnet a network gets and which addresses its containers get; pure, time is an input. */
import { createHash, randomBytes } from 'node:crypto'
import { EngineError } from '#base/errors.ts'
import type { Cidr } from './address.ts'
import { addressAt, contains, formatCidr, overlaps, parseCidr, positionOf, sizeOf } from './address.ts'

/** Docker's local pools, in order: 172.17–31.0.0/16, then 192.168.0.0/16 in pieces of /20. */
export const defaultPools: readonly string[] = [
  ...Array.from({ length: 15 }, (_, i) => `172.${17 + i}.0.0/16`),
  ...Array.from({ length: 16 }, (_, i) => `192.168.${16 * i}.0/20`),
]

/** The first pool that overlaps nothing taken: no route of the host, no other network. */
export function choosePool(taken: readonly Cidr[], pools: readonly string[] = defaultPools): Cidr {
  for (const pool of pools) {
    const cidr = parseCidr(pool)
    if (!taken.some((other) => overlaps(cidr, other))) return cidr
  }
  throw new EngineError(
    'resource_exhausted',
    'could not find an available, non-overlapping address pool among the defaults to assign to the network',
    { code: 'POOLS_EXHAUSTED', details: { pools, routes: taken.map(formatCidr) } },
  )
}

/** One entry of `ip -j route`. */
export interface RouteEntry {
  readonly dst?: string
  readonly dev?: string
}

/** Destinations of the host's routes, except the default one and those through our own links. */
export function routedRanges(routes: readonly RouteEntry[], ownLinks: string | ReadonlySet<string>): Cidr[] {
  const own = typeof ownLinks === 'string' ? new Set([ownLinks]) : ownLinks
  return routes
    .filter(({ dev, dst }) => !own.has(dev ?? '') && dst !== undefined && /^[0-9a-f.:]+(\/\d+)?$/.test(dst))
    .map((route) => parseCidr(route.dst ?? ''))
    .filter((cidr) => cidr.prefix > 0)
}

export interface AddressPoolOptions {
  /** Addresses never given out: the gateway, and those that are somebody else's. */
  readonly reserved: readonly string[]
  /** Part of the subnet that addresses are chosen from; any of the subnet may be asked for. */
  readonly range?: Cidr | undefined
  /** How long a released address rests, in ms: its old owner's namespace, ARP and conntrack entries live a little longer. */
  readonly quarantine: number
  /** Monotonic, in ms. */
  readonly now: () => number
}

/** The addresses of one subnet. */
export class AddressPool {
  readonly subnet: Cidr
  readonly #options: AddressPoolOptions
  /** Offsets from the start of the subnet. */
  readonly #used = new Set<bigint>()
  /** Released offsets and when, oldest first. */
  readonly #resting = new Map<bigint, number>()
  readonly #first: bigint
  readonly #last: bigint
  /** How many addresses at the beginning and at the end of the subnet nobody can have. */
  readonly #ends: readonly [bigint, bigint]

  constructor(subnet: Cidr, options: AddressPoolOptions) {
    this.subnet = subnet
    this.#options = options
    const range = options.range ?? subnet
    const start = range.base - subnet.base
    // The network's own address is never usable, nor is IPv4's broadcast address; a link of two has neither (RFC 3021).
    this.#ends = subnet.family === 6 ? [1n, 0n] : subnet.prefix >= 31 ? [0n, 0n] : [1n, 1n]
    this.#first = max(start, this.#ends[0])
    this.#last = min(start + sizeOf(range) - 1n, sizeOf(subnet) - 1n - this.#ends[1])
    for (const address of options.reserved) this.#used.add(positionOf(subnet, address))
  }

  /** How many addresses are taken, the reserved ones among them. */
  get inUse(): number {
    return this.#used.size
  }

  /** How many addresses `take` can still give. */
  get available(): number {
    let free = this.#last - this.#first + 1n
    for (const offset of this.#used) if (offset >= this.#first && offset <= this.#last) free -= 1n
    return Number(free)
  }

  /**
   * The lowest address that is neither used nor resting; when there is none, the one that has rested longest. Those of
   * `avoid` come last.
   */
  take(avoid: ReadonlySet<string> = new Set()): string {
    this.#wake()
    for (let offset = this.#first; offset <= this.#last; offset++) {
      if (this.#used.has(offset) || this.#resting.has(offset)) continue
      if (!avoid.has(addressAt(this.subnet, offset))) return this.#use(offset)
    }
    for (const offset of this.#resting.keys()) {
      if (offset >= this.#first && offset <= this.#last) return this.#use(offset)
    }
    throw new EngineError(
      'resource_exhausted',
      `no available IPv${this.subnet.family} addresses on this network's address pools`,
      {
        code: 'ADDRESSES_EXHAUSTED',
        details: { subnet: formatCidr(this.subnet) },
      },
    )
  }

  /** Marks an address as used; `false` when it is already, or nobody can have it. Addresses of another subnet are ignored. */
  claim(address: string): boolean {
    if (!contains(this.subnet, address)) return true
    const offset = positionOf(this.subnet, address)
    const usable = offset >= this.#ends[0] && offset < sizeOf(this.subnet) - this.#ends[1]
    if (!usable || this.#used.has(offset)) return false
    this.#use(offset)
    return true
  }

  /** `gone`: nothing of its owner is left that has it, so that it need not rest. */
  release(address: string, gone = false): void {
    if (!contains(this.subnet, address)) return
    const offset = positionOf(this.subnet, address)
    if (this.#used.delete(offset) && !gone) this.#resting.set(offset, this.#options.now())
  }

  #use(offset: bigint): string {
    this.#resting.delete(offset)
    this.#used.add(offset)
    return addressAt(this.subnet, offset)
  }

  #wake(): void {
    const before = this.#options.now() - this.#options.quarantine
    for (const [offset, since] of this.#resting) {
      if (since > before) return
      this.#resting.delete(offset)
    }
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

/** The MAC of a network's bridge: unicast, locally administered, and always the same for a network. */
export function linkAddress(networkId: string): string {
  return ['02', ...(networkId.slice(0, 10).match(/../g) ?? [])].join(':')
}

/**
 * The MAC of whoever has an address of a network. A successor has the same one: what neighbours know of the address stays
 * true.
 */
export function addressMac(networkId: string, address: string): string {
  return localMac(createHash('sha256').update(`${networkId} ${address}`).digest().subarray(0, 6))
}

/** A random unicast, locally administered MAC. */
export function randomMac(): string {
  return localMac(randomBytes(6))
}

function localMac(bytes: Uint8Array): string {
  const [first = 0, ...rest] = bytes
  return [(first & 0xfc) | 0x02, ...rest].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}
