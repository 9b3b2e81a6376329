import { EngineError } from '#base/errors.ts'

/** Names per page, whatever is asked for: nobody makes the registry list everything at once. */
export const MAX_PAGE = 1000

export interface Paging {
  readonly n: number
  readonly last: string | undefined
}

/** `n` and `last` of a query. distribution-spec "Listing Tags" */
export function pagingOf(query: URLSearchParams): Paging {
  const text = query.get('n')
  const last = query.get('last') ?? undefined
  if (text === null || text === '') return { n: MAX_PAGE, last }
  if (!/^\d{1,15}$/.test(text)) {
    throw new EngineError('invalid_argument', 'n must be a whole number, 0 or more', {
      code: 'PAGINATION_NUMBER_INVALID',
      details: { n: text.slice(0, 50) },
    })
  }
  return { n: Math.min(Number(text), MAX_PAGE), last }
}

/** `Link` to the page after `last`, when there is more. RFC 8288 */
export function nextLink(
  path: string,
  more: boolean,
  {
    n,
    last,
    ...others
  }: { readonly n: number; readonly last: string | undefined } & Readonly<
    Record<string, string | number | undefined>
  >,
): Record<string, string> {
  if (!more || last === undefined) return {}
  const query = new URLSearchParams({ n: String(n), last })
  for (const [key, value] of Object.entries(others)) {
    if (value !== undefined) query.set(key, String(value))
  }
  return { Link: `<${path}?${query.toString()}>; rel="next"` }
}
