import { EngineError } from '#base/errors.ts'

const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}
const DURATION = /^[+-]?(?:\d+(?:\.\d*)?(?:ns|us|µs|μs|ms|s|m|h))+$/
const DATE = /^\d{4}-\d{2}-\d{2}(?:T\d{2}(?::\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?(?:Z|[+-]\d{2}:\d{2})?)?$/

/**
 * The instant an `until` filter means, in milliseconds since the epoch: a Go duration before `now`, Unix seconds with
 * an optional fraction, or an RFC 3339 date whose smaller parts may be missing (then local time, as in Docker).
 */
export function parseUntil(text: string, now: number): number {
  if (DURATION.test(text)) {
    const sign = text.startsWith('-') ? -1 : 1
    let duration = 0
    for (const [, number, unit = ''] of text.matchAll(/(\d+(?:\.\d*)?)([^\d.]+)/g)) {
      duration += Number(number) * (MILLISECONDS[unit] ?? 0)
    }
    return now - sign * duration
  }
  if (/^\d{1,12}(?:\.\d+)?$/.test(text)) return Number(text) * 1000
  const time = DATE.test(text) ? Date.parse(completed(text)) : Number.NaN
  if (!Number.isNaN(time)) return time
  throw new EngineError(
    'invalid_argument',
    `failed to parse value as time or duration: ${JSON.stringify(text)}`,
    {
      code: 'FILTER_INVALID',
    },
  )
}

/** What JavaScript would not read, or would read as UTC. */
function completed(text: string): string {
  const [date = '', time] = text.split('T')
  if (time === undefined) return `${date}T00:00:00`
  const [, clock = '', zone = ''] = /^([\d:.]+)(.*)$/.exec(time) ?? []
  return `${date}T${clock.includes(':') ? clock : `${clock}:00`}${zone}`
}
