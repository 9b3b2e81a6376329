/** Durations as Go reads and prints them (package time, ParseDuration and Duration.String). */

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/** The text is no duration; the message is Go's. */
export class DurationError extends Error {
  readonly problem: 'invalid' | 'unit'

  constructor(problem: DurationError['problem'], message: string) {
    super(message)
    this.problem = problem
  }
}

/** Nanoseconds of `1m30s`, `1.5h` or `-2s`. Throws DurationError: it is none, or a unit is missing or unknown. */
export function parseGoDuration(text: string): number {
  const said = JSON.stringify(text)
  const invalid = new DurationError('invalid', `time: invalid duration ${said}`)
  const rest = text.replace(/^[-+]/, '')
  if (rest === '0') return 0
  if (rest === '') throw invalid
  let total = 0
  for (const [part, number = '', unit = ''] of rest.matchAll(/([0-9.]*)([^0-9.]*)/g)) {
    if (part === '') break
    if (!/^(\d+\.?\d*|\.\d+)$/.test(number)) throw invalid
    if (unit === '') throw new DurationError('unit', `time: missing unit in duration ${said}`)
    const size = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined
    if (size === undefined) {
      throw new DurationError('unit', `time: unknown unit ${JSON.stringify(unit)} in duration ${said}`)
    }
    total += Number(number) * size
  }
  if (total > 2 ** 63) throw invalid
  return (text.startsWith('-') ? -1 : 1) * Math.round(total)
}

const MINUTE = 60_000_000_000n

/** `1m30s`, `1.5s`, `250ms`, `0s`; `nanoseconds` not below zero. */
export function formatGoDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s'
  if (nanoseconds < 1e9) {
    const [unit, size] = nanoseconds < 1e3 ? ['ns', 1] : nanoseconds < 1e6 ? ['µs', 1e3] : ['ms', 1e6]
    return decimal(BigInt(nanoseconds), BigInt(size)) + unit
  }
  const whole = BigInt(nanoseconds)
  const hours = whole / (60n * MINUTE)
  const minutes = (whole / MINUTE) % 60n
  const seconds = `${decimal(whole % MINUTE, 1_000_000_000n)}s`
  if (hours > 0n) return `${hours}h${minutes}m${seconds}`
  return minutes > 0n ? `${minutes}m${seconds}` : seconds
}

/** `value / unit` without zeros at its end. */
function decimal(value: bigint, unit: bigint): string {
  const rest = value % unit
  if (rest === 0n) return `${value / unit}`
  const digits = String(rest).padStart(String(unit).length - 1, '0')
  return `${value / unit}.${digits.replace(/0+$/, '')}`
}
