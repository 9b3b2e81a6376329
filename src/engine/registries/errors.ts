import { EngineError } from '#base/errors.ts'
import type { Filters } from '../services.ts'

// Wording is contract: Docker's clients and people's scripts match on it.

export function limitOutOfRange(limit: number): EngineError {
  return new EngineError('invalid_argument', `limit ${limit} is outside the range of [1, 100]`, {
    code: 'SEARCH_LIMIT',
    details: { limit },
  })
}

export function badFilter(name: string, value: string): EngineError {
  return new EngineError('invalid_argument', `invalid filter '${name}=${value}'`, {
    code: 'FILTER_INVALID',
    details: { name, value },
  })
}

export function unknownFilter(filters: Filters, known: readonly string[]): EngineError | undefined {
  const name = [...filters.keys()].find((key) => !known.includes(key))
  if (name === undefined) return undefined
  return new EngineError('invalid_argument', `invalid filter '${name}'`, {
    code: 'FILTER_INVALID',
    details: { name },
  })
}

export function notAnImage(mediaType: string): EngineError {
  return new EngineError('invalid_argument', `unknown image reference format: ${mediaType}`, {
    code: 'DISTRIBUTION_UNKNOWN',
    details: { mediaType },
  })
}
