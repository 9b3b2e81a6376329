import { isKind } from '#base/errors.ts'
import { commandError } from './errors.ts'
import { parseDuration } from './values.ts'

/**
 * `--since` and `--until` as the API wants them, seconds since 1970 with an optional fraction: from a duration before
 * now (`10m`), a date or a time (in the local zone unless it says otherwise), or such seconds. Empty is undefined.
 */
export function unixTime(text: string, now: number): string | undefined {
  if (text === '') return undefined
  if (/^-?\d+(\.\d+)?$/.test(text)) return text
  const ago = durationOf(text)
  if (ago !== undefined) return seconds(now - ago / 1e6)
  const time = dateOf(text)
  if (Number.isNaN(time)) {
    throw commandError(
      `invalid value for a time: "${text}"; use a duration such as 10m, 2026-01-02T15:04:05Z, or seconds`,
    )
  }
  // The fraction is taken from the text: a Date has milliseconds only.
  const fraction = /:\d{2}(\.\d{1,9})/.exec(text)?.[1]
  return fraction === undefined ? seconds(time) : `${Math.floor(time / 1000)}${fraction}`
}

function durationOf(text: string): number | undefined {
  try {
    return parseDuration(text)
  } catch (error) {
    if (isKind(error, 'invalid_argument')) return undefined
    throw error
  }
}

function dateOf(text: string): number {
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?))?(Z|[+-]\d{2}:\d{2})?$/.exec(text)
  if (match === null) return Number.NaN
  const [, day = '', time = '00:00', zone = ''] = match
  return Date.parse(`${day}T${time.length === 2 ? `${time}:00` : time}${zone}`)
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3).replace(/\.?0+$/, '')
}
