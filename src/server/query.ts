import { EngineError } from '#base/errors.ts'
import { parseFilters } from '#api/filters.ts'
import { parseTimestamp } from '#api/timestamp.ts'

const NO = new Set(['', '0', 'no', 'false', 'none'])

/** Query parameters, read by Docker's rules. */
export class Query {
  readonly #parameters: URLSearchParams

  constructor(parameters: URLSearchParams) {
    this.#parameters = parameters
  }

  /** Present and neither of `""`, 0, no, false, none (in any case). */
  flag(name: string, whenAbsent = false): boolean {
    const value = this.#parameters.get(name)
    return value === null ? whenAbsent : !NO.has(value.trim().toLowerCase())
  }

  /** An empty value counts as absent. */
  text(name: string): string | undefined {
    return this.#parameters.get(name) || undefined
  }

  list(name: string): readonly string[] {
    return this.#parameters.getAll(name)
  }

  required(name: string): string {
    const value = this.text(name)
    if (value !== undefined) return value
    throw new EngineError('invalid_argument', `missing parameter: ${name}`, { code: 'PARAMETER_MISSING' })
  }

  integer(name: string): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const number = Number(value)
    if (/^[+-]?\d+$/.test(value) && Number.isSafeInteger(number)) return number
    throw new EngineError('invalid_argument', `invalid ${name} ${JSON.stringify(value)}: want an integer`, {
      code: 'PARAMETER_INVALID',
    })
  }

  /** Nanoseconds since the epoch. */
  timestamp(name: string): bigint | undefined {
    return parseTimestamp(this.text(name), name)
  }

  filters(keys?: readonly string[]): ReadonlyMap<string, readonly string[]> {
    return parseFilters(this.text('filters'), keys)
  }
}
