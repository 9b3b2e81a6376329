import { SyntaxFailure } from './failure.ts'

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

/** Nanoseconds in a Go duration such as `1m30s` or `1.5h`, with Go's wording of errors. */
export function parseGoDuration(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  const rest = text.replace(/^[-+]/, '')
  if (rest === '0') return 0
  if (rest === '') throw new SyntaxFailure(`time: invalid duration ${JSON.stringify(text)}`)
  let total = 0
  for (const { 0: part, 1: number = '', 2: unit = '', index } of rest.matchAll(/([0-9.]*)([^0-9.]*)/g)) {
    if (part === '' && index === rest.length) break
    if (!/^(\d+\.?\d*|\.\d+)$/.test(number))
      throw new SyntaxFailure(`time: invalid duration ${JSON.stringify(text)}`)
    if (unit === '')
      throw new SyntaxFailure(`time: missing unit in duration ${JSON.stringify(text)}`, { hint: HINT })
    const size = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined
    if (size === undefined)
      throw new SyntaxFailure(
        `time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`,
        { hint: HINT },
      )
    total += Number(number) * size
  }
  if (total > 2 ** 63) throw new SyntaxFailure(`time: invalid duration ${JSON.stringify(text)}`)
  return sign * Math.trunc(total)
}

const HINT = 'A duration is like 30s, 1m30s or 500ms.'
