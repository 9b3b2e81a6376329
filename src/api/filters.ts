import { EngineError } from '#base/errors.ts'

/**
 * Reads the `filters` parameter in both of its encodings: `{"label":{"a=b":true}}` and `{"label":["a=b"]}`.
 * With `keys`, any other key is refused.
 */
export function parseFilters(
  text: string | undefined,
  keys?: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const filters = new Map<string, readonly string[]>()
  if (text === undefined || text === '') return filters
  const parsed = parseJson(text)
  if (parsed === null) return filters
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw invalidFilters()

  for (const [key, values] of Object.entries(parsed)) {
    if (keys !== undefined && !keys.includes(key)) throw invalidFilterKey(key)
    filters.set(key, valuesOf(values))
  }
  return filters
}

/** The encoding that Docker's own clients send. */
export function encodeFilters(filters: Iterable<readonly [string, readonly string[]]>): string {
  return JSON.stringify(
    Object.fromEntries(
      Array.from(filters, ([key, values]) => [key, Object.fromEntries(values.map((value) => [value, true]))]),
    ),
  )
}

function invalidFilterKey(key: string): EngineError {
  return new EngineError('invalid_argument', `invalid filter '${key}'`, { code: 'FILTER_INVALID' })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalidFilters(cause)
  }
}

function valuesOf(values: unknown): readonly string[] {
  if (values === null) return []
  if (Array.isArray(values)) {
    if (values.every((value) => typeof value === 'string')) return values
    throw invalidFilters()
  }
  if (typeof values !== 'object') throw invalidFilters()
  const entries = Object.entries(values)
  if (entries.some(([, wanted]) => typeof wanted !== 'boolean')) throw invalidFilters()
  // Docker does not look at the other side.
  return entries.map(([value]) => value)
}

function invalidFilters(cause?: unknown): EngineError {
  return new EngineError(
    'invalid_argument',
    'invalid filters: want JSON such as {"label":["a=b"]} or {"label":{"a=b":true}}',
    { code: 'FILTER_INVALID', cause },
  )
}
