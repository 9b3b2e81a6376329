import { isIP } from 'node:net'
import { canonicalAddress } from '#network/address.ts'
import type { GatewayMode, NetworkInfo } from '#network/networks.ts'
import type { NetworkCreateBody } from '../services.ts'
import { invalidNetwork, refusedByDriver } from './errors.ts'

/** What the options of a bridge network say, by the names that Docker gives them. */
export interface BridgeOptions {
  readonly link: string | undefined
  readonly mtu: number
  readonly icc: boolean
  readonly masquerade: boolean
  readonly sources?: NetworkInfo['sources']
  readonly binding?: NetworkInfo['binding']
  readonly inhibit4?: NetworkInfo['inhibit4']
  readonly modes?: NetworkInfo['modes']
  readonly trusted?: NetworkInfo['trusted']
}

const DEFAULT_MTU = 1500
/** IFNAMSIZ with its terminating zero. */
const LONGEST_NAME = 15

const known = {
  link: 'com.docker.network.bridge.name',
  icc: 'com.docker.network.bridge.enable_icc',
  masquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  mtu: 'com.docker.network.driver.mtu',
  mtuContainer: 'com.docker.network.mtu',
  mode4: 'com.docker.network.bridge.gateway_mode_ipv4',
  mode6: 'com.docker.network.bridge.gateway_mode_ipv6',
  binding: 'com.docker.network.bridge.host_binding_ipv4',
  inhibit: 'com.docker.network.bridge.inhibit_ipv4',
  source4: 'com.docker.network.host_ipv4',
  source6: 'com.docker.network.host_ipv6',
  prefix: 'com.docker.network.container_iface_prefix',
  trusted: 'com.docker.network.bridge.trusted_host_interfaces',
  announcements: 'com.docker.network.advertise_addr_nmsgs',
  interval: 'com.docker.network.advertise_addr_ms',
} as const
/** Options of every driver. */
const families = {
  EnableIPv4: 'com.docker.network.enable_ipv4',
  EnableIPv6: 'com.docker.network.enable_ipv6',
} as const

/** Unknown options are ignored, as with Docker: other drivers and tools leave theirs. */
export function bridgeOptions(options: Readonly<Record<string, string>>, internal: boolean): BridgeOptions {
  const link = options[known.link] ?? options['bridge.name']
  if (link !== undefined && !isInterfaceName(link)) {
    throw invalidNetwork(
      `invalid bridge name ${JSON.stringify(link)}: 1 to ${LONGEST_NAME} characters without / and blanks`,
    )
  }
  interfacePrefix(options)
  checkAdvertising(options)
  return {
    link,
    mtu: mtuOption(options) ?? DEFAULT_MTU,
    icc: flag(options, known.icc, true),
    masquerade: flag(options, known.masquerade, true),
    ...sources(options),
    ...binding(options),
    ...(flag(options, known.inhibit, false) ? { inhibit4: true } : {}),
    ...gatewayModes(options, internal),
    ...trustedInterfaces(options[known.trusted]),
  }
}

/**
 * Which families a network has, as options say it that the engine gives all networks, where the request does not say it
 * itself; what is overruled is not kept.
 */
export function withFamilies(body: NetworkCreateBody): NetworkCreateBody {
  const options = { ...body.Options }
  const said: { EnableIPv4?: boolean; EnableIPv6?: boolean } = {}
  for (const key of ['EnableIPv4', 'EnableIPv6'] as const) {
    const option = families[key]
    const text = options[option]
    if (text === undefined) continue
    if (typeof body[key] === 'boolean') {
      delete options[option]
      continue
    }
    const value = booleanOf(text)
    if (value === undefined) throw invalidNetwork(`driver-opt "${option}" is not a valid bool`)
    said[key] = value
  }
  return { ...body, ...(body.Options ? { Options: options } : {}), ...said }
}

/** What the names of containers' interfaces on the network begin with, before a number. */
export function interfacePrefix(options: Readonly<Record<string, string>>): string {
  const prefix = options[known.prefix] || 'eth'
  if (isInterfaceName(`${prefix}0`)) return prefix
  throw invalidNetwork(`failed to parse ${known.prefix} value: ${prefix} (no name of an interface)`)
}

/**
 * How often a container would tell its neighbours that it has an address now. Nobody needs to be told: the next one with an
 * address has the MAC of the one before. What Docker refuses is refused all the same.
 */
function checkAdvertising(options: Readonly<Record<string, string>>): void {
  for (const [key, what, least, most] of [
    [known.announcements, 'an integer', 0, 3],
    [known.interval, 'integer milliseconds', 100, 2000],
  ] as const) {
    const text = options[key]
    if (text === undefined) continue
    if (!/^[+-]?\d+$/.test(text)) {
      throw invalidNetwork(`value for option ${key} ${JSON.stringify(text)} must be ${what}`)
    }
    if (Number(text) < least || Number(text) > most) {
      throw invalidNetwork(`${key} must be in the range ${least} to ${most}`)
    }
  }
}

function sources(options: Readonly<Record<string, string>>): Pick<BridgeOptions, 'sources'> {
  const v4 = addressOption(options, known.source4, 4)
  const v6 = addressOption(options, known.source6, 6)
  return v4 === undefined && v6 === undefined ? {} : { sources: { v4, v6 } }
}

/** Docker's default address is all of them, of both families. */
function binding(options: Readonly<Record<string, string>>): Pick<BridgeOptions, 'binding'> {
  const address = addressOption(options, known.binding)
  return address === undefined || address === '0.0.0.0' ? {} : { binding: address }
}

function addressOption(
  options: Readonly<Record<string, string>>,
  key: string,
  family?: 4 | 6,
): string | undefined {
  const text = options[key] ?? ''
  if (text === '') return undefined
  if (isIP(text) !== 0 && (family === undefined || isIP(text) === family)) return canonicalAddress(text)
  throw invalidNetwork(`failed to parse ${key} value: ${text} (nil ip)`)
}

const gatewayModeNames = ['nat', 'nat-unprotected', 'routed', 'isolated'] as const

function gatewayModes(
  options: Readonly<Record<string, string>>,
  internal: boolean,
): Pick<BridgeOptions, 'modes'> {
  const [v4, v6] = [known.mode4, known.mode6].map((key): GatewayMode => {
    const wanted = options[key] ?? 'nat'
    const mode = gatewayModeNames.find((one) => one === wanted)
    if (mode !== undefined) return mode
    throw invalidNetwork(`failed to parse ${key} value: ${wanted} (unknown gateway mode ${wanted})`)
  }) as [GatewayMode, GatewayMode]
  if ((v4 === 'isolated' || v6 === 'isolated') && !internal) {
    throw refusedByDriver("gateway mode 'isolated' can only be used for an internal network")
  }
  return v4 === 'nat' && v6 === 'nat' ? {} : { modes: { v4, v6 } }
}

/** Names with colons between them. */
function trustedInterfaces(text = ''): Pick<BridgeOptions, 'trusted'> {
  const names = text.split(':').filter((name) => name !== '')
  const bad = names.find((name) => !isInterfaceName(name))
  if (bad !== undefined) {
    throw invalidNetwork(
      `failed to parse ${known.trusted} value: ${text} (${bad} is no name of an interface)`,
    )
  }
  return names.length === 0 ? {} : { trusted: names }
}

export function isInterfaceName(name: string): boolean {
  return /^[^\s/:"]+$/.test(name) && name.length <= LONGEST_NAME && name !== '.' && name !== '..'
}

/** From the least of IPv4 to the most of a packet, in bytes. */
export function isMtu(bytes: number): boolean {
  return Number.isInteger(bytes) && bytes >= 68 && bytes <= 65_535
}

/** Undefined: not asked for. */
export function mtuOption(options: Readonly<Record<string, string>>): number | undefined {
  const text = options[known.mtu] ?? options[known.mtuContainer]
  if (text === undefined || text === '' || text === '0') return undefined
  const mtu = Number(text)
  if (/^\d+$/.test(text) && isMtu(mtu)) return mtu
  throw invalidNetwork(`failed to parse ${known.mtu} value: ${text}`)
}

function flag(options: Readonly<Record<string, string>>, key: string, initial: boolean): boolean {
  const text = options[key]
  if (text === undefined || text === '') return initial
  const value = booleanOf(text)
  if (value === undefined) throw invalidNetwork(`failed to parse ${key} value: ${text}`)
  return value
}

/** As Go reads booleans. */
function booleanOf(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text) ? false : undefined
}
