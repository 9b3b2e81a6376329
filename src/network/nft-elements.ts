/** The elements of the sets and maps of our nftables table: all that is said in it of networks, containers and ports. */
import { overlaps, parseCidr } from './address.ts'
import type { Protocol } from './networks.ts'

/** Sets and maps with elements, by their names in the table. */
export const elementSets = {
  bridges: 'type ifname',
  icc: 'type ifname . ifname',
  from: 'type ifname : verdict',
  to: 'type ifname : verdict',
  deaf: 'type ifname',
  apart: 'type ifname . ifname',
  links4: 'type ipv4_addr . ipv4_addr . inet_proto . inet_service',
  links6: 'type ipv6_addr . ipv6_addr . inet_proto . inet_service',
  routed4: 'type ifname',
  routed6: 'type ifname',
  unprotected4: 'type ifname',
  unprotected6: 'type ifname',
  trusted: 'type ifname . ifname',
  open4: 'type ipv4_addr . inet_proto . inet_service',
  open6: 'type ipv6_addr . inet_proto . inet_service',
  direct4: 'type ipv4_addr . inet_proto . inet_service',
  direct6: 'type ipv6_addr . inet_proto . inet_service',
  subnets4: 'type ipv4_addr\n    flags interval',
  subnets6: 'type ipv6_addr\n    flags interval',
  gateways4: 'type ipv4_addr : ipv4_addr\n    flags interval',
  gateways6: 'type ipv6_addr : ipv6_addr\n    flags interval',
  masq4: 'type ipv4_addr\n    flags interval',
  masq6: 'type ipv6_addr\n    flags interval',
  snat4: 'type ipv4_addr : ipv4_addr\n    flags interval',
  snat6: 'type ipv6_addr : ipv6_addr\n    flags interval',
  self4: 'type ipv4_addr . inet_proto . inet_service',
  self6: 'type ipv6_addr . inet_proto . inet_service',
  dnat4: 'type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service',
  dnat4any: 'type inet_proto . inet_service : ipv4_addr . inet_service',
  dnat6: 'type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service',
  dnat6any: 'type inet_proto . inet_service : ipv6_addr . inet_service',
  relayed4: 'type inet_service',
  relayed6: 'type inet_service',
} as const

export type ElementSet = keyof typeof elementSets

/** One element; `key` and `value` as nft spells them, parts joined by ` . `. */
export interface Element {
  readonly set: ElementSet
  readonly key: string
  readonly value?: string | undefined
  /** Short id of the owner. */
  readonly comment?: string | undefined
}

export type Elements = ReadonlyMap<string, Element>

/** What distinguishes two elements; the same for one key with another value. */
export function elementId(element: Pick<Element, 'set' | 'key'>): string {
  return `${element.set} ${element.key}`
}

/** Those that can stand beside the `others`: ranges of one set must not overlap. */
export function besides(elements: Elements, others: Elements): Elements {
  const ranges = [...others.values()].filter(({ set }) => elementSets[set].includes('interval'))
  const kept = [...elements].filter(
    ([id, { set, key }]) => others.has(id) || !ranges.some((one) => one.set === set && meet(one.key, key)),
  )
  return new Map(kept)
}

/** A range that has no prefix is none of ours. */
function meet(range: string, other: string): boolean {
  return other.includes('-') || overlaps(parseCidr(range), parseCidr(other))
}

/** True when the same elements exist with the same values and owners. */
export function sameElements(a: Elements, b: Elements): boolean {
  if (a.size !== b.size) return false
  for (const [id, element] of a) {
    const other = b.get(id)
    if (other === undefined || other.value !== element.value || other.comment !== element.comment)
      return false
  }
  return true
}

/** An interface name as nft wants it. */
export function quoted(name: string): string {
  return `"${name}"`
}

/** Assigned by IANA. */
export const protocolNumbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 }
