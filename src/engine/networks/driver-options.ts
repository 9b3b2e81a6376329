import type { GatewayMode, NetworkInfo } from '#network/networks.ts'
import { invalidNetwork, refusedByDriver } from './errors.ts'

/** What the options of a bridge network say, by the names that Docker gives them. */
export interface BridgeOptions {
  readonly link: string | undefined
  readonly mtu: number
  readonly icc: boolean
  readonly masquerade: boolean
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
  trusted: 'com.docker.network.bridge.trusted_host_interfaces',
} as const

/** Unknown options are ignored, as with Docker: other drivers and tools leave theirs. */
export function bridgeOptions(options: Readonly<Record<string, string>>, internal: boolean): BridgeOptions {
  const link = options[known.link] ?? options['bridge.name']
  if (link !== undefined && !isInterfaceName(link)) {
    throw invalidNetwork(
      `invalid bridge name ${JSON.stringify(link)}: 1 to ${LONGEST_NAME} characters without / and blanks`,
    )
  }
  return {
    link,
    mtu: mtuOption(options) ?? DEFAULT_MTU,
    icc: flag(options, known.icc, true),
    masquerade: flag(options, known.masquerade, true),
    ...gatewayModes(options, internal),
    ...trustedInterfaces(options[known.trusted]),
  }
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

/** Undefined: not asked for. */
export function mtuOption(options: Readonly<Record<string, string>>): number | undefined {
  const text = options[known.mtu] ?? options[known.mtuContainer]
  if (text === undefined || text === '' || text === '0') return undefined
  const mtu = Number(text)
  if (/^\d+$/.test(text) && mtu >= 68 && mtu <= 65_535) return mtu
  throw invalidNetwork(`failed to parse ${known.mtu} value: ${text}`)
}

/** As Go reads booleans. */
function flag(options: Readonly<Record<string, string>>, key: string, initial: boolean): boolean {
  const text = options[key]
  if (text === undefined || text === '') return initial
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false
  throw invalidNetwork(`failed to parse ${key} value: ${text}`)
}
