import { EngineError } from '#base/errors.ts'
import { hasLabel } from '../filter-values.ts'
import { severalUntil } from '../images/errors.ts'
import { parseUntil } from '../images/until.ts'
import type { Filters } from '../services.ts'
import type { Container } from './container.ts'

/** `until` (seconds since the epoch, RFC 3339 or a duration before now), `label` and `label!` of a prune request. */
export function matchesPruneFilters(container: Container, filters: Filters): boolean {
  for (const [key, values] of filters) {
    switch (key) {
      case 'until':
        if (values.length > 1) throw severalUntil()
        if (!values.every((value) => Date.parse(container.createdAt) < parseUntil(value, Date.now())))
          return false
        break
      case 'label':
        if (!values.every((value) => hasLabel(container.config.Labels, value))) return false
        break
      case 'label!':
        if (values.some((value) => hasLabel(container.config.Labels, value))) return false
        break
      default:
        throw new EngineError('invalid_argument', `invalid filter '${key}'`, { code: 'FILTER_INVALID' })
    }
  }
  return true
}
