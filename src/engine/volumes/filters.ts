import { EngineError } from '#base/errors.ts'
import type { VolumeRow } from '#store/volumes.ts'
import { hasLabel } from '../filter-values.ts'
import type { Filters } from '../services.ts'

const KNOWN = ['name', 'driver', 'label', 'label!', 'dangling']
const BOOLEANS: Readonly<Record<string, boolean>> = { '1': true, true: true, '0': false, false: false }

export function checkFilters(filters: Filters): void {
  for (const [key, values] of filters) {
    if (!KNOWN.includes(key)) throw invalid(`invalid filter '${key}'`)
    if (key === 'dangling') for (const value of values) filterFlag(key, value)
  }
}

/** Docker's booleans of filters: 1, true, 0, false. */
export function filterFlag(key: string, value: string): boolean {
  const flag = BOOLEANS[value.toLowerCase()]
  if (flag === undefined) throw invalid(`invalid filter '${key}=[${value}]'`)
  return flag
}

/** `used`: some container has the volume. */
export function matches(row: VolumeRow, filters: Filters, used: () => boolean): boolean {
  return [...filters].every(([key, values]) => matchesOne(row, key, values, used))
}

function matchesOne(row: VolumeRow, key: string, values: readonly string[], used: () => boolean): boolean {
  switch (key) {
    case 'name':
      return values.length === 0 || values.some((value) => row.name.includes(value))
    case 'driver':
      return values.length === 0 || values.includes(row.driver)
    case 'label':
      return values.every((value) => hasLabel(row.labels, value))
    case 'label!':
      return !values.some((value) => hasLabel(row.labels, value))
    case 'dangling':
      return values.every((value) => used() !== filterFlag(key, value))
    default:
      return true
  }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'FILTER_INVALID' })
}
