import { EngineError } from '#base/errors.ts'

/** A whole number of the query, or undefined; `invalid_argument` for anything else. */
export function countOf(query: URLSearchParams, key: string): number | undefined {
  const text = query.get(key)
  if (text === null || text === '') return undefined
  if (!/^\d{1,9}$/.test(text)) throw invalid(`${key} must be a whole number`)
  return Number(text)
}

/** One of `choices`, of which the first is the default. */
export function choiceOf<T extends string>(
  query: URLSearchParams,
  key: string,
  choices: readonly [T, ...T[]],
): T {
  const text = query.get(key)
  if (text === null || text === '') return choices[0]
  const choice = choices.find((known) => known === text)
  if (choice === undefined) throw invalid(`${key} must be one of ${choices.join(', ')}`)
  return choice
}

export function flagOf(query: URLSearchParams, key: string): boolean {
  return ['true', '1'].includes(choiceOf(query, key, ['false', 'true', '0', '1']))
}

export interface PageOf<T> {
  readonly total: number
  readonly page: number
  readonly page_size: number
  readonly results: readonly T[]
}

const MAX_PAGE = 100
const DEFAULT_PAGE = 25

/** The part of `all` that `page` (from 1) and `page_size` ask for. */
export function pageOf<T>(all: readonly T[], query: URLSearchParams): PageOf<T> {
  const page = Math.max(countOf(query, 'page') ?? 1, 1)
  const size = Math.min(Math.max(countOf(query, 'page_size') ?? DEFAULT_PAGE, 1), MAX_PAGE)
  return { total: all.length, page, page_size: size, results: all.slice((page - 1) * size, page * size) }
}

export function mapPage<T, U>({ results, ...rest }: PageOf<T>, show: (one: T) => U): PageOf<U> {
  return { ...rest, results: results.map(show) }
}

/** RFC 3339; null for what has not happened. */
export function timeOf(milliseconds: number | null | undefined): string | null {
  return milliseconds === null || milliseconds === undefined ? null : new Date(milliseconds).toISOString()
}

export function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'REGISTRY_PARAMETER_INVALID' })
}
