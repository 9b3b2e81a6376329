/** What networks get that do not say: keys as dockerd's. */
import { EngineError } from '#base/errors.ts'
import { isMtu } from '#engine/networks/driver-options.ts'

export interface NetworkSettings {
  /** Of the default network; undefined: 1500. */
  readonly mtu: number | undefined
  /** Options of new networks, by driver. */
  readonly options: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** `default-network-opts`: options by driver. `invalid_argument` names the key. */
export function networkSettings(mtu: unknown, defaults: unknown): NetworkSettings {
  return { mtu: mtuOf(mtu), options: optionsOf(defaults) }
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
      entriesOf(options).map(([key, text]) => {
        if (typeof text === 'string') return [key, text]
        throw invalid(`"default-network-opts": ${driver}: ${key} must be a string`)
      }),
    ),
  ])
  return Object.fromEntries(drivers) as NetworkSettings['options']
}

function entriesOf(value: unknown): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value)
  throw invalid('"default-network-opts" must be an object of options by driver')
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CONFIG_INVALID' })
}
