/** Durations as Compose reads them: Go's, with days and weeks. */

const NANOSECONDS: Readonly<Record<string, number>> = {
  w: 7 * 86_400e9,
  d: 86_400e9,
  h: 3600e9,
  m: 60e9,
  s: 1e9,
  ms: 1e6,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ns: 1,
}

/** Nanoseconds of a duration such as `1m30s`, `1.5h` or `2d`. Undefined: it is none. */
export function parseDuration(text: string): number | undefined {
  const [, sign = '', rest = ''] = /^([-+]?)(.*)$/s.exec(text) ?? []
  if (rest === '0') return 0
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ms|us|µs|μs|ns|w|d|h|m|s))+$/.test(rest)) return undefined
  const parts = rest.matchAll(/(\d+\.?\d*|\.\d+)([a-zµμ]+)/g)
  const total = [...parts].reduce(
    (sum, [, amount, unit = '']) => sum + Number(amount) * (NANOSECONDS[unit] ?? 0),
    0,
  )
  return Math.round(total) * (sign === '-' ? -1 : 1)
}
