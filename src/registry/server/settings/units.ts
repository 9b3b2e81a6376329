const durations: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Milliseconds of `90s`, `1h30m` or `7d`; undefined for anything else, a bare number but 0 included. */
export function parseDuration(value: unknown): number | undefined {
  if (value === 0 || value === '0') return 0
  if (typeof value !== 'string' || !/^(\d+(ms|s|m|h|d))+$/.test(value)) return undefined
  const parts = [...value.matchAll(/(\d+)(ms|s|m|h|d)/g)]
  const total = parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (durations[unit] ?? 0), 0)
  return Number.isSafeInteger(total) ? total : undefined
}

const powers = ['', 'K', 'M', 'G', 'T'] as const

/** Bytes of a whole number, `500MB` (decimal) or `10GiB` (binary); undefined for anything else. */
export function parseSize(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined
  if (typeof value !== 'string') return undefined
  const [, digits, power, binary] = /^(\d+)\s*([KMGT]?)(i?)B?$/i.exec(value) ?? []
  if (digits === undefined || (binary !== '' && power === '')) return undefined
  const exponent = powers.findIndex((name) => name === power?.toUpperCase())
  const bytes = Number(digits) * (binary === '' ? 1000 : 1024) ** exponent
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
