import { EngineError } from '#base/errors.ts'
import type { CacheItem } from '#store/build-cache/prune-policy.ts'
import { matchesPattern } from '../../filter-values.ts'
import { invalidFilter, severalUntil } from '../../images/errors.ts'
import { parseUntil } from '../../images/until.ts'
import type { Filters } from '../../services.ts'

/**
 * The filters of `/build/prune` and of lists: `until` (not used since), `id`, `parent`, `type` and `description` (exact, or an
 * expression), `inuse`, `shared`, `private` (with no value: yes), `label`. Throws `invalid_argument` for others. `now` in milliseconds.
 */
export function cacheFilter(filters: Filters, now: number): (item: CacheItem) => boolean {
  const tests = Array.from(filters, ([key, values]) => testOf(key, values, now))
  return (item) => tests.every((test) => test(item))
}

function testOf(key: string, values: readonly string[], now: number): (item: CacheItem) => boolean {
  // Those of `system prune` are for all kinds of objects. Nothing in the cache has labels.
  if (key === 'label') return () => false
  if (key === 'label!') return () => true
  if (values.length > 1) {
    if (key === 'until') throw severalUntil()
    throw new EngineError('invalid_argument', `filters expect only one value: ${key}`, {
      code: 'FILTER_INVALID',
    })
  }
  const [value = ''] = values
  switch (key) {
    case 'until':
    case 'unused-for': {
      const limit = parseUntil(value, now)
      return ({ usedAt }) => usedAt < limit
    }
    case 'id':
      return ({ id }) => id.startsWith(value) || matchesPattern(id, value)
    case 'parent':
      return ({ parents }) => parents.some((parent) => matchesPattern(parent, value))
    case 'type':
      return ({ type }) => type === value
    case 'description':
      return ({ description }) => description.includes(value) || matchesPattern(description, value)
    case 'inuse':
      return flag(key, value, ({ inUse }) => inUse)
    case 'shared':
      return flag(key, value, ({ shared }) => shared)
    case 'private':
      return flag(key, value, ({ shared }) => !shared)
    default:
      throw invalidFilter(key)
  }
}

function flag(key: string, value: string, test: (item: CacheItem) => boolean): (item: CacheItem) => boolean {
  if (value === '' || value === '1' || value === 'true') return test
  if (value === '0' || value === 'false') return (item) => !test(item)
  throw invalidFilter(key, `[${value}]`)
}
