import { SocketAddress, isIP } from 'node:net'
import { EngineError } from '#base/errors.ts'

type Family = 4 | 6

/** A range of addresses as numbers, so that both families share their arithmetic. */
export interface Cidr {
  readonly family: Family
  /** First address of the range. */
  readonly base: bigint
  readonly prefix: number
}

const bits = (family: Family): number => (family === 4 ? 32 : 128)

/** The family of an address, or undefined for anything else. */
function familyOf(address: string): Family | undefined {
  const family = isIP(address)
  return family === 4 || family === 6 ? family : undefined
}

/** `192.0.2.0/24`, or a single address as a range of one. Bits below the prefix are cleared. */
export function parseCidr(text: string): Cidr {
  const [address = '', prefixText] = text.split('/', 2)
  const family = familyOf(address)
  const prefix =
    prefixText === undefined ? bits(family ?? 4) : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : -1
  if (family === undefined || prefix < 0 || prefix > bits(family)) {
    throw new EngineError('invalid_argument', `invalid CIDR address: ${text}`, { code: 'INVALID_CIDR' })
  }
  const host = BigInt(bits(family) - prefix)
  return { family, base: (toNumber(address) >> host) << host, prefix }
}

export function formatCidr(cidr: Cidr): string {
  return `${toText(cidr.family, cidr.base)}/${cidr.prefix}`
}

/** Number of addresses in the range. */
export function sizeOf(cidr: Cidr): bigint {
  return 1n << BigInt(bits(cidr.family) - cidr.prefix)
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.base < b.base + sizeOf(b) && b.base < a.base + sizeOf(a)
}

export function contains(cidr: Cidr, address: string): boolean {
  return familyOf(address) === cidr.family && overlaps(cidr, parseCidr(address))
}

/** `inner` is a part of `outer`, or all of it. */
export function encloses(outer: Cidr, inner: Cidr): boolean {
  return outer.prefix <= inner.prefix && overlaps(outer, inner)
}

/** The address `offset` above the start of the range. */
export function addressAt(cidr: Cidr, offset: number | bigint): string {
  return toText(cidr.family, cidr.base + BigInt(offset))
}

/** Exact only where a number is: see `positionOf`. */
export function offsetOf(cidr: Cidr, address: string): number {
  return Number(positionOf(cidr, address))
}

export function positionOf(cidr: Cidr, address: string): bigint {
  return toNumber(address) - cidr.base
}

/** The one spelling the kernel uses too (RFC 5952 for IPv6). */
export function canonicalAddress(address: string): string {
  const family = familyOf(address)
  if (family === undefined) {
    throw new EngineError('invalid_argument', `invalid IP address: ${address}`, { code: 'INVALID_IP' })
  }
  return new SocketAddress({ address, family: `ipv${family}` }).address
}

function toNumber(address: string): bigint {
  const family = familyOf(address)
  if (family === 4) return BigInt(`0x${hexOfV4(address)}`)
  // An embedded IPv4 address is spelled as its last two groups first.
  const plain = address.replace(/%.*$/, '').replace(/(\d+\.){3}\d+$/, (v4) => {
    const hex = hexOfV4(v4)
    return `${hex.slice(0, 4)}:${hex.slice(4)}`
  })
  const [head = '', tail] = plain.split('::', 2)
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const before = groups(head)
  const after = groups(tail ?? '')
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  const all = [...before, ...Array<string>(zeros).fill('0'), ...after]
  return BigInt(`0x${all.map((group) => group.padStart(4, '0')).join('')}`)
}

function hexOfV4(address: string): string {
  return address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('')
}

function toText(family: Family, value: bigint): string {
  const hex = value.toString(16).padStart(family === 4 ? 8 : 32, '0')
  if (family === 4) return (hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)).join('.')
  return canonicalAddress((hex.match(/..../g) ?? []).join(':'))
}
