import type { Digest } from '#base/digest.ts'
import { familiarName, formatFamiliar, type Reference } from '#oci/reference.ts'
import { hasLabel } from '../filter-values.ts'
import type { Filters } from '../services.ts'
import { invalidFilter, severalUntil } from './errors.ts'
import { globMatcher } from './glob.ts'
import { parseUntil } from './until.ts'

/** What the filters of list and prune look at. */
interface Filterable {
  readonly id: Digest
  readonly created: number | undefined
  readonly labels: Readonly<Record<string, string>> | undefined
}

export interface FilterContext {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** When the image that a user named was created. */
  readonly createdOf: (ref: string) => number
}

export interface ImageFilter {
  matches(image: Filterable): boolean
  /** Undefined: every name will do. */
  readonly matchesReference: ((reference: Reference) => boolean) | undefined
  /** Undefined: not asked for. */
  readonly dangling: boolean | undefined
}

export const listKeys = ['before', 'since', 'dangling', 'label', 'label!', 'reference', 'until'] as const
export const pruneKeys = ['dangling', 'label', 'label!', 'until'] as const

/** Compiles filters; throws `invalid_argument` for a key not in `keys` or a value that makes no sense. */
export function imageFilter(filters: Filters, keys: readonly string[], context: FilterContext): ImageFilter {
  const tests: ((image: Filterable) => boolean)[] = []
  for (const [key, values] of filters) {
    if (!keys.includes(key)) throw invalidFilter(key)
    for (const value of values) {
      const test = testOf(key, value, context)
      if (test !== undefined) tests.push(test)
    }
  }
  // A list is of what is older than all of them; what is removed should not be guessed.
  if (keys === pruneKeys && (filters.get('until') ?? []).length > 1) throw severalUntil()
  const patterns = filters.get('reference')?.map(globMatcher)
  return {
    matches: (image) => tests.every((test) => test(image)),
    matchesReference:
      patterns &&
      ((reference) => {
        const names = [formatFamiliar(reference), familiarName(reference)]
        return patterns.some((matches) => names.some(matches))
      }),
    dangling: danglingOf(filters.get('dangling')),
  }
}

function testOf(
  key: string,
  value: string,
  { now, createdOf }: FilterContext,
): ((image: Filterable) => boolean) | undefined {
  switch (key) {
    case 'label':
      return ({ labels }) => hasLabel(labels, value)
    case 'label!':
      return ({ labels }) => !hasLabel(labels, value)
    case 'before': {
      const limit = createdOf(value)
      return ({ created = 0 }) => created < limit
    }
    case 'since': {
      const limit = createdOf(value)
      return ({ created = 0 }) => created > limit
    }
    case 'until': {
      const limit = parseUntil(value, now)
      return ({ created = 0 }) => created < limit
    }
    default:
      return undefined
  }
}

function danglingOf(values: readonly string[] | undefined): boolean | undefined {
  if (values === undefined || values.length === 0) return undefined
  const flags = values.map((value) => {
    if (value === '1' || value === 'true') return true
    if (value === '0' || value === 'false') return false
    throw invalidFilter('dangling', shown(values))
  })
  if (new Set(flags).size > 1) throw invalidFilter('dangling', shown(values))
  return flags[0]
}

/** As Go prints a list. */
function shown(values: readonly string[]): string {
  return `[${values.join(' ')}]`
}
