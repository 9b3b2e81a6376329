import type { Filters } from '../services.ts'
import { EngineError } from '#base/errors.ts'
import type { Container } from './container.ts'

/** `until` (seconds since the epoch, RFC 3339 or a duration before now), `label` and `label!` of a prune request. */
export function matchesPruneFilters(container: Container, filters: Filters): boolean {
  for (const [key, values] of filters) {
    switch (key) {
      case 'until':
        if (!values.every((value) => Date.parse(container.createdAt) < untilOf(value))) return false
        break
      case 'label':
        if (!values.every((value) => hasLabel(container, value))) return false
        break
      case 'label!':
        if (values.some((value) => hasLabel(container, value))) return false
        break
      default:
        throw new EngineError('invalid_argument', `invalid filter '${key}'`, { code: 'FILTER_INVALID' })
    }
  }
  return true
}

function hasLabel(container: Container, wanted: string): boolean {
  const labels = container.config.Labels ?? {}
  const at = wanted.indexOf('=')
  if (at < 0) return Object.hasOwn(labels, wanted)
  const key = wanted.slice(0, at)
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1)
}

const UNITS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds since the epoch. */
function untilOf(text: string, now: number = Date.now()): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  const duration = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)]
  if (duration.length > 0 && duration.map(([part]) => part).join('') === text) {
    return now - duration.reduce((sum, [, n, unit]) => sum + Number(n) * (UNITS[unit ?? ''] ?? 0), 0)
  }
  const date = Date.parse(text)
  if (Number.isNaN(date)) {
    throw new EngineError('invalid_argument', `invalid value for "until": "${text}"`, { code: 'FILTER_INVALID' })
  }
  return date
}
