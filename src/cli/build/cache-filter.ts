import type { BuildCache } from '#api/generated/types.ts'
import type { Filters } from '#client/filters.ts'
import { commandError } from '../errors.ts'

const tests: Readonly<Record<string, (record: BuildCache, value: string) => boolean>> = {
  id: ({ ID }, value) => ID?.startsWith(value) === true,
  parent: ({ Parents }, value) => Parents?.some((parent) => parent.startsWith(value)) === true,
  type: ({ Type }, value) => Type === value,
  description: ({ Description }, value) => Description?.includes(value) === true,
  inuse: ({ InUse }, value) => (InUse === true) === isTrue(value),
  shared: ({ Shared }, value) => (Shared === true) === isTrue(value),
  private: ({ Shared }, value) => (Shared !== true) === isTrue(value),
}

/** The records that fit all keys, and of each key one of its values. */
export function matching(records: readonly BuildCache[], filters: Filters): BuildCache[] {
  for (const key of Object.keys(filters)) {
    if (tests[key] === undefined)
      throw commandError(`invalid filter '${key}': want ${Object.keys(tests).join(', ')}`)
  }
  return records.filter((record) =>
    Object.entries(filters).every(([key, values]) => values.some((value) => tests[key]?.(record, value))),
  )
}

function isTrue(value: string): boolean {
  return value !== 'false' && value !== '0'
}
