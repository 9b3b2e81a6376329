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

const powers: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 }

/** A size in bytes: `64m`, `1.5g`, `512KiB`; every unit is a power of 1024. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+) ?([kmgtp]?)i?b?$/i.exec(text)
  if (match === null) throw valueError(`invalid size: '${text}'`)
  return Math.floor(Number(match[1]) * 1024 ** (powers[(match[2] ?? '').toLowerCase()] ?? 0))
}

const nanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/** A duration in Go's syntax (`1h30m`, `1.5s`), in nanoseconds. */
export function parseDuration(text: string): number {
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? []
  if (rest === '0') return 0
  if (!/^((\d+\.?\d*|\.\d+)[a-zµμ]*)+$/.test(rest)) throw valueError(`time: invalid duration "${text}"`)
  let total = 0
  for (const [, amount = '', unit = ''] of rest.matchAll(/(\d+\.?\d*|\.\d+)([a-zµμ]*)/g)) {
    if (unit === '') throw valueError(`time: missing unit in duration "${text}"`)
    const factor = nanoseconds[unit]
    if (factor === undefined) throw valueError(`time: unknown unit "${unit}" in duration "${text}"`)
    total += Number(amount) * factor
  }
  return Math.round(total) * (sign === '-' ? -1 : 1)
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
