import { encodeFilters } from '#api/filters.ts'

/** Every key with the values that were asked for. */
export type Filters = Readonly<Record<string, readonly string[]>>

/** The `filters` query parameter; `undefined` when there is nothing to say. */
export function filtersQuery(filters: Filters = {}): string | undefined {
  const entries = Object.entries(filters)
  return entries.length === 0 ? undefined : encodeFilters(entries)
}
