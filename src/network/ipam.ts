/** Which subnet a network gets and which addresses its containers get; pure, time is an input. */
import { randomBytes } from 'node:crypto'
import { EngineError } from '#base/errors.ts'
import type { Cidr } from './address.ts'
import { addressAt, contains, formatCidr, offsetOf, overlaps, parseCidr, sizeOf } from './address.ts'

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

/** Destinations of the host's routes, except the default one and those through `ownLink`. */
export function routedRanges(routes: readonly RouteEntry[], ownLink: string): Cidr[] {
  return routes
    .filter(
      (route) => route.dev !== ownLink && route.dst !== undefined && /^[0-9a-f.:]+(\/\d+)?$/.test(route.dst),
    )
    .map((route) => parseCidr(route.dst ?? ''))
    .filter((cidr) => cidr.prefix > 0)
}

export interface AddressPoolOptions {
  /** Addresses never given out: the gateway. */
  readonly reserved: readonly string[]
  /** How long a released address rests, in ms: its old owner's namespace, ARP and conntrack entries live a little longer. */
  readonly quarantine: number
  /** Monotonic, in ms. */
  readonly now: () => number
}

/** The addresses of one subnet. */
export class AddressPool {
  readonly subnet: Cidr
  readonly #options: AddressPoolOptions
  readonly #used = new Set<number>()
  /** Released offsets and when, oldest first. */
  readonly #resting = new Map<number, number>()
  readonly #first: number
  readonly #last: number

  constructor(subnet: Cidr, options: AddressPoolOptions) {
    this.subnet = subnet
    this.#options = options
    const size = sizeOf(subnet)
    // The network's own address is never usable, nor is IPv4's broadcast address.
    this.#first = 1
    this.#last = Number(size > 0xffff_ffffn ? 0xffff_ffffn : size) - (subnet.family === 4 ? 2 : 1)
    for (const address of options.reserved) this.#used.add(offsetOf(subnet, address))
  }

  /** The lowest address that is neither used nor resting; when there is none, the one that has rested longest. */
  take(): string {
    this.#wake()
    for (let offset = this.#first; offset <= this.#last; offset++) {
      if (!this.#used.has(offset) && !this.#resting.has(offset)) return this.#use(offset)
    }
    const [oldest] = this.#resting.keys()
    if (oldest !== undefined) return this.#use(oldest)
    throw new EngineError(
      'resource_exhausted',
      `no available IPv${this.subnet.family} addresses on this network's address pools`,
      {
        code: 'ADDRESSES_EXHAUSTED',
        details: { subnet: formatCidr(this.subnet) },
      },
    )
  }

  /** Marks an address as used; `false` when it is already. Addresses of another subnet are ignored. */
  claim(address: string): boolean {
    if (!contains(this.subnet, address)) return true
    const offset = offsetOf(this.subnet, address)
    if (this.#used.has(offset)) return false
    this.#use(offset)
    return true
  }

  release(address: string): void {
    if (!contains(this.subnet, address)) return
    const offset = offsetOf(this.subnet, address)
    if (this.#used.delete(offset)) this.#resting.set(offset, this.#options.now())
  }

  #use(offset: number): string {
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

/** A random unicast, locally administered MAC. */
export function randomMac(): string {
  const bytes = randomBytes(6)
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}
