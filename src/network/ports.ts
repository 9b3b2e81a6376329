/** Which host port belongs to which container; pure. */
import { allPortsAllocated, portAllocated } from './errors.ts'
import { canonicalAddress } from './address.ts'
import type { PortRequest, Protocol, PublishedPort } from './networks.ts'

export interface PortRange {
  readonly first: number
  readonly last: number
}

export interface PortTableOptions {
  /** `net.ipv4.ip_local_port_range`. */
  readonly ephemeral: PortRange
  /** `net.ipv4.ip_local_reserved_ports`: never given out unasked. */
  readonly reserved?: readonly PortRange[]
  /** Whether the host has IPv6 at all; without it an empty host address means IPv4 only. */
  readonly ipv6: boolean
  /** What an empty host address means instead of all addresses. */
  readonly defaultAddress?: string | undefined
}

/** A port that a request got; `flexible` when another number would have done as well. */
export interface Reservation {
  readonly port: PublishedPort
  readonly flexible: boolean
}

const WILDCARDS = ['0.0.0.0', '::']

/**
 * The host ports that are taken, by protocol and number. A wildcard address conflicts with every address of its
 * family; IPv4 and IPv6 never conflict, but a request for every address gets the same number in both.
 */
export class PortTable {
  readonly #options: PortTableOptions
  /** `tcp/80` → host address → container id. */
  readonly #taken = new Map<string, Map<string, string>>()
  readonly #owned = new Map<string, PublishedPort[]>()
  #cursor: number

  constructor(options: PortTableOptions) {
    this.#options = options
    this.#cursor = options.ephemeral.first
  }

  /**
   * Reserves all requests for `owner`, or none. `avoid` holds `tcp/8080` keys that turned out to be used by somebody
   * outside; they are passed over where there is a choice. Ports that the owner is `leaving` count as free.
   */
  reserve(
    owner: string,
    requests: readonly PortRequest[],
    avoid: ReadonlySet<string> = new Set(),
    leaving: readonly PublishedPort[] = [],
  ): Reservation[] {
    const got: Reservation[] = []
    for (const port of leaving) this.#drop(owner, port)
    try {
      // Fixed numbers first, so that a choice never takes one that the same container asks for.
      const order = [...requests.keys()].sort((a, b) => rank(requests[a]) - rank(requests[b]))
      const results: Reservation[][] = []
      for (const index of order) {
        const request = requests[index]
        if (request === undefined) continue
        const reservations = this.#reserveOne(owner, request, avoid)
        got.push(...reservations)
        results[index] = reservations
      }
      return results.flat()
    } catch (error) {
      for (const { port } of got) this.#drop(owner, port)
      throw error
    } finally {
      // They are the owner's until it has left them.
      for (const port of leaving) this.#add(owner, port)
    }
  }

  /** Gives single ports back. A host port that the owner has anew stays taken. */
  leave(owner: string, ports: readonly PublishedPort[]): void {
    for (const port of ports) this.#drop(owner, port)
  }

  /** Takes over what a container already had; `false` when somebody else has it by now. */
  adopt(owner: string, port: PublishedPort): boolean {
    if (!this.#free(port.protocol, port.hostPort, [port.hostIp])) return false
    this.#add(owner, port)
    return true
  }

  release(owner: string): void {
    for (const port of this.#owned.get(owner) ?? []) {
      const addresses = this.#taken.get(keyOf(port))
      addresses?.delete(port.hostIp)
      if (addresses?.size === 0) this.#taken.delete(keyOf(port))
    }
    this.#owned.delete(owner)
  }

  #reserveOne(owner: string, request: PortRequest, avoid: ReadonlySet<string>): Reservation[] {
    const addresses = this.#addresses(request.hostIp)
    const flexible = typeof request.hostPort !== 'number'
    const hostPort = flexible
      ? this.#choose(request, addresses, avoid)
      : this.#exactly(request.protocol, request.hostPort, addresses)
    return addresses.map((hostIp) => {
      const { containerPort, protocol } = request
      const port: PublishedPort = { containerPort, protocol, hostIp, hostPort }
      this.#add(owner, port)
      return { port, flexible }
    })
  }

  #addresses(hostIp: string): readonly string[] {
    const { ipv6, defaultAddress = '' } = this.#options
    return hostAddresses(hostIp === '' ? defaultAddress : hostIp, ipv6)
  }

  #exactly(protocol: Protocol, port: number, addresses: readonly string[]): number {
    for (const address of addresses) {
      const holder = this.#holder(protocol, port, address)
      if (holder !== undefined) throw portAllocated(address, String(port), holder)
    }
    return port
  }

  #choose(request: PortRequest, addresses: readonly string[], avoid: ReadonlySet<string>): number {
    const { protocol, hostPort: range } = request
    const usable = (port: number): boolean =>
      !avoid.has(`${protocol}/${port}`) && this.#free(protocol, port, addresses)

    if (typeof range === 'object') {
      for (let port = range.first; port <= range.last; port++) if (usable(port)) return port
      throw allPortsAllocated(addresses[0] ?? '', `${range.first}-${range.last}`)
    }
    const { first, last } = this.#options.ephemeral
    for (let n = first; n <= last; n++) {
      const port = this.#cursor
      this.#cursor = port >= last ? first : port + 1
      if (usable(port) && !this.#kernelReserved(port)) return port
    }
    throw allPortsAllocated(addresses[0] ?? '', `${first}-${last}`)
  }

  #kernelReserved(port: number): boolean {
    return (this.#options.reserved ?? []).some(({ first, last }) => first <= port && port <= last)
  }

  #free(protocol: Protocol, port: number, addresses: readonly string[]): boolean {
    return addresses.every((address) => this.#holder(protocol, port, address) === undefined)
  }

  /** Who has the port on an address that conflicts with this one. */
  #holder(protocol: Protocol, port: number, address: string): string | undefined {
    const taken = this.#taken.get(`${protocol}/${port}`)
    if (taken === undefined) return undefined
    return [...taken].find(([other]) => conflict(address, other))?.[1]
  }

  #add(owner: string, port: PublishedPort): void {
    const addresses = this.#taken.get(keyOf(port)) ?? new Map<string, string>()
    addresses.set(port.hostIp, owner)
    this.#taken.set(keyOf(port), addresses)
    const owned = this.#owned.get(owner) ?? []
    owned.push(port)
    this.#owned.set(owner, owned)
  }

  #drop(owner: string, port: PublishedPort): void {
    const rest = (this.#owned.get(owner) ?? []).filter((other) => other !== port)
    if (rest.length === 0) this.#owned.delete(owner)
    else this.#owned.set(owner, rest)
    if (rest.some((other) => keyOf(other) === keyOf(port) && other.hostIp === port.hostIp)) return
    const addresses = this.#taken.get(keyOf(port))
    addresses?.delete(port.hostIp)
    if (addresses?.size === 0) this.#taken.delete(keyOf(port))
  }
}

/** `32768\t60999`. */
export function parsePortRange(text: string): PortRange | undefined {
  const [first, last] = text.trim().split(/\s+/).map(Number)
  if (first === undefined || last === undefined || !(first > 0 && first <= last && last <= 65535))
    return undefined
  return { first, last }
}

/** `8080,9000-9100`, as in `net.ipv4.ip_local_reserved_ports`. */
export function parseReservedPorts(text: string): PortRange[] {
  return text
    .trim()
    .split(',')
    .filter((part) => /^\d+(-\d+)?$/.test(part))
    .map((part) => {
      const [first = 0, last = first] = part.split('-').map(Number)
      return { first, last }
    })
}

function hostAddresses(hostIp: string, ipv6: boolean): readonly string[] {
  if (hostIp === '') return ipv6 ? WILDCARDS : ['0.0.0.0']
  return [canonicalAddress(hostIp.replace(/^\[(.*)\]$/, '$1'))]
}

function conflict(a: string, b: string): boolean {
  if (a.includes(':') !== b.includes(':')) return false
  return a === b || WILDCARDS.includes(a) || WILDCARDS.includes(b)
}

function keyOf(port: PublishedPort): string {
  return `${port.protocol}/${port.hostPort}`
}

function rank(request: PortRequest | undefined): number {
  if (typeof request?.hostPort === 'number') return 0
  return request?.hostPort === undefined ? 2 : 1
}
