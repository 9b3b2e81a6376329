/** The default network, and what networks get that do not say: keys as dockerd's. */
import { isIP } from 'node:net'
import { EngineError } from '#base/errors.ts'
import { isMtu } from '#engine/networks/driver-options.ts'
import { type Cidr, addressAt, parseCidr } from '#network/address.ts'

export const networkOptions = {
  bip: { type: 'string' },
  bip6: { type: 'string' },
  'fixed-cidr': { type: 'string' },
  'fixed-cidr-v6': { type: 'string' },
  mtu: { type: 'string' },
  'host-gateway-ip': { type: 'string', multiple: true },
  'default-network-opt': { type: 'string', multiple: true },
} as const

export interface NetworkSettings {
  /** Address of the default bridge with its prefix length; undefined: a free one is chosen. */
  readonly address: string | undefined
  /** The same for IPv6; undefined: one of our own choice. */
  readonly address6: string | undefined
  /** Where containers of the default network get their addresses from; undefined: its whole subnet. */
  readonly range: string | undefined
  /** Of the default network; undefined: 1500. */
  readonly mtu: number | undefined
  /** What `host-gateway` stands for; none: the addresses of the default bridge. */
  readonly hostGateways: readonly string[]
  /** Options of new networks, by driver. */
  readonly options: Readonly<Record<string, Readonly<Record<string, string>>>>
}

type Document = Readonly<Record<string, unknown>>

const fileKeys: readonly string[] = [
  ...Object.keys(networkOptions),
  'host-gateway-ips',
  'default-network-opts',
]

/** The keys of a configuration file that are ours, and all others. */
export function splitNetworkKeys(document: Document): readonly [Document, Record<string, unknown>] {
  const entries = Object.entries(document)
  return [
    Object.fromEntries(entries.filter(([key]) => fileKeys.includes(key))),
    Object.fromEntries(entries.filter(([key]) => !fileKeys.includes(key))),
  ]
}

/** Flags over file over defaults. `invalid_argument` names the key. */
export function networkSettings(flags: Document, file: Document): NetworkSettings {
  const given = (key: string): string => text(key, flags[key] ?? file[key])
  const range = given('fixed-cidr')
  const fixed6 = given('fixed-cidr-v6')
  return {
    // A range that nothing else is said about is the network's own.
    address: bridgeAddress('bip', given('bip'), 4) ?? firstOf('fixed-cidr', range, 4),
    address6: bridgeAddress('bip6', given('bip6'), 6) ?? firstOf('fixed-cidr-v6', fixed6, 6),
    range: range === '' ? undefined : range,
    mtu: mtuOf(flags['mtu'] ?? file['mtu']),
    hostGateways: gatewaysOf(flags['host-gateway-ip'] ?? file['host-gateway-ips'] ?? file['host-gateway-ip']),
    options: withOptions(optionsOf(file['default-network-opts']), flags['default-network-opt']),
  }
}

function text(key: string, value: unknown): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return value
  if (key === 'mtu' && typeof value === 'number') return String(value)
  throw invalid(`"${key}" must be a string`)
}

function bridgeAddress(key: string, value: string, family: 4 | 6): string | undefined {
  if (value === '') return undefined
  cidrOf(key, value, family)
  return value
}

function firstOf(key: string, value: string, family: 4 | 6): string | undefined {
  if (value === '') return undefined
  const cidr = cidrOf(key, value, family)
  return `${addressAt(cidr, 1)}/${cidr.prefix}`
}

function cidrOf(key: string, value: string, family: 4 | 6): Cidr {
  const [address = '', prefix = ''] = value.split('/')
  if (isIP(address) === family && /^\d+$/.test(prefix) && Number(prefix) <= (family === 4 ? 30 : 126)) {
    return parseCidr(value)
  }
  throw invalid(
    `"${key}" is not an IPv${family} address with the length of its prefix: ${JSON.stringify(value)}`,
  )
}

function gatewaysOf(value: unknown): readonly string[] {
  const list: readonly unknown[] = [value ?? []].flat()
  const addresses = list.filter((one) => one !== '')
  for (const one of addresses) {
    if (typeof one !== 'string' || isIP(one) === 0)
      throw invalid(`"host-gateway-ips" has what is no IP address: ${JSON.stringify(one)}`)
  }
  return addresses.map(String)
}

function mtuOf(value: unknown): number | undefined {
  if (value === undefined || value === 0 || value === '' || value === '0') return undefined
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && isMtu(number)) return number
  throw invalid('"mtu" must be a number of bytes from 68 to 65535')
}

function optionsOf(value: unknown): NetworkSettings['options'] {
  if (value === undefined) return {}
  const drivers = entriesOf(value).map(([driver, options]) => [
    driver,
    Object.fromEntries(
      entriesOf(options).map(([key, option]) => {
        if (typeof option === 'string') return [key, option]
        throw invalid(`"default-network-opts": ${driver}: ${key} must be a string`)
      }),
    ),
  ])
  return Object.fromEntries(drivers) as NetworkSettings['options']
}

/** `flags`: DRIVER=OPTION=VALUE each. */
function withOptions(options: NetworkSettings['options'], flags: unknown): NetworkSettings['options'] {
  const all: Record<string, Readonly<Record<string, string>>> = { ...options }
  const texts: readonly unknown[] = [flags ?? []].flat()
  for (const text of texts) {
    const [, driver, option, value] =
      /^([^=]+)=([^=]+)=(.*)$/s.exec(typeof text === 'string' ? text : '') ?? []
    if (driver === undefined || option === undefined || value === undefined)
      throw invalid(`--default-network-opt ${JSON.stringify(text)}: want DRIVER=OPTION=VALUE`)
    all[driver] = { ...all[driver], [option]: value }
  }
  return all
}

function entriesOf(value: unknown): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value)
  throw invalid('"default-network-opts" must be an object of options by driver')
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CONFIG_INVALID' })
}
