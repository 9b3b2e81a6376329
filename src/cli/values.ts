import { parseByteSize } from '#base/byte-size.ts'
import { DurationError, parseGoDuration } from '#base/go-duration.ts'
import { valueError } from './errors.ts'

/** A boolean as Go's strconv.ParseBool takes it. */
export function parseBool(text: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false
  throw valueError(`strconv.ParseBool: parsing "${text}": invalid syntax`)
}

/** A whole number in decimal, or with a 0x, 0o or 0b prefix, between the bounds. */
export function parseInteger(
  text: string,
  bounds: { readonly min?: number; readonly max?: number } = {},
): number {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = bounds
  const verb = min >= 0 ? 'ParseUint' : 'ParseInt'
  const match = /^([+-]?)(\d+|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.exec(text)
  const unsigned = min >= 0
  if (match === null || (unsigned && match[1] !== '')) {
    throw valueError(`strconv.${verb}: parsing "${text}": invalid syntax`)
  }
  const value = Number(match[2]) * (match[1] === '-' ? -1 : 1)
  if (value < min || value > max) throw valueError(`strconv.${verb}: parsing "${text}": value out of range`)
  return value
}

/** A size in bytes: `64m`, `1.5g`, `512KiB`; every unit is a power of 1024. */
export function parseBytes(text: string): number {
  const bytes = parseByteSize(text)
  if (bytes === undefined) throw valueError(`invalid size: '${text}'`)
  return bytes
}

/** A duration in Go's syntax (`1h30m`, `1.5s`), in nanoseconds. */
export function parseDuration(text: string): number {
  try {
    return parseGoDuration(text)
  } catch (error) {
    throw error instanceof DurationError ? valueError(error.message) : error
  }
}

/** A number of CPUs such as `1.5`, in billionths; more than nine decimal places are refused. */
export function parseCpus(text: string): number {
  const match = /^\+?(\d*)(?:\.(\d*))?$/.exec(text)
  if (match === null || `${match[1]}${match[2] ?? ''}` === '') {
    throw valueError(`failed to parse ${text} as a rational number`)
  }
  const fraction = (match[2] ?? '').replace(/0+$/, '')
  if (fraction.length > 9) throw valueError(`value is too precise`)
  return Number(match[1] === '' ? '0' : match[1]) * 1e9 + Number(fraction.padEnd(9, '0'))
}
