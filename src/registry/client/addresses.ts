/** What kind of place an address is: a registry on the internet has no reason to send us to one inside. */
import { BlockList, isIP } from 'node:net'

/** `forbidden`: link-local (where clouds answer for credentials), multicast, reserved. */
export type AddressClass = 'public' | 'private' | 'loopback' | 'forbidden'

const forbidden = blocks(
  ['169.254.0.0', 16],
  ['fe80::', 10],
  // The places of cloud metadata outside of link-local: AWS over IPv6, Alibaba, Oracle.
  ['fd00:ec2::', 32],
  ['100.100.100.200', 32],
  ['192.0.0.192', 32],
  ['224.0.0.0', 3],
  ['ff00::', 8],
)
const loopback = blocks(['127.0.0.0', 8], ['0.0.0.0', 8], ['::1', 128], ['::', 128])
const inside = blocks(
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['198.18.0.0', 15],
  ['192.0.0.0', 24],
  ['fc00::', 7],
  ['fec0::', 10],
)

/** Of an address without brackets; undefined for what is none. */
export function classOfAddress(address: string): AddressClass | undefined {
  const family = isIP(address)
  if (family === 0) return undefined
  const type = family === 6 ? 'ipv6' : 'ipv4'
  if (forbidden.check(address, type)) return 'forbidden'
  if (loopback.check(address, type)) return 'loopback'
  return inside.check(address, type) ? 'private' : 'public'
}

/** Of a host as it stands in a URL, as far as it can be told without asking DNS. */
export function classOfHost(hostname: string): AddressClass | undefined {
  const bare = unbracketed(hostname)
  return isLocalName(bare) ? 'loopback' : classOfAddress(bare)
}

/** The most internal of several: what a name that resolves to all of them may reach. */
export function innermost(classes: readonly AddressClass[]): AddressClass {
  return (['forbidden', 'loopback', 'private'] as const).find((one) => classes.includes(one)) ?? 'public'
}

/** Whether a registry of class `from` may send its clients to `to`. */
export function mayLeadTo(from: AddressClass, to: AddressClass): boolean {
  if (to === 'forbidden') return false
  if (to === 'public') return true
  return from === 'loopback' || from === to
}

export function unbracketed(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

function isLocalName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost')
}

function blocks(...subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList()
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, isIP(net) === 6 ? 'ipv6' : 'ipv4')
  return list
}
