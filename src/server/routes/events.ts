import { isBefore, type ApiVersion } from '#api/version.ts'
import { EngineError } from '#base/errors.ts'
import type { EventService } from '#engine/services.ts'
import type { Query } from '../query.ts'
import type { RecordsReply } from '../reply.ts'
import { route, type Route } from '../route.ts'

export function eventRoutes(events: EventService): readonly Route[] {
  return [
    route({
      operation: 'SystemEvents',
      method: 'GET',
      path: '/events',
      endless: true,
      handle({ query, headers, version, signal }) {
        const span = spanOf(query)
        return {
          kind: 'records',
          ...recordFormat(headers.accept, version),
          items: events.subscribe({ ...span, filters: query.filters(), signal }),
          after: '\n',
          head: 'at once',
        }
      },
    }),
  ]
}

/** In nanoseconds since the epoch. @throws EngineError invalid_argument when it ends before it begins */
function spanOf(query: Query): { readonly since: bigint | undefined; readonly until: bigint | undefined } {
  const [since, until] = [query.timestamp('since'), query.timestamp('until')]
  if (since !== undefined && until !== undefined && since > until) {
    const [from, to] = [query.text('since'), query.text('until')]
    throw new EngineError(
      'invalid_argument',
      `\`since\` time (${from}) cannot be after \`until\` time (${to})`,
      { code: 'PARAMETER_CONFLICT' },
    )
  }
  return { since, until }
}

/** Negotiable since 1.52; a client that names no type we know gets lines of JSON. */
function recordFormat(
  accept: string | undefined,
  version: ApiVersion,
): Pick<RecordsReply, 'contentType' | 'before'> {
  if (isBefore(version, '1.52')) return { contentType: 'application/json', before: '' }
  const wanted = (accept ?? '').split(',').map((part) => part.split(';', 1)[0]?.trim().toLowerCase() ?? '')
  const contentType = wanted.find((type) => recordTypes.has(type)) ?? 'application/jsonl'
  return { contentType, before: recordTypes.get(contentType) ?? '' }
}

/** With what stands before each record. */
const recordTypes: ReadonlyMap<string, '' | '\x1e'> = new Map([
  ['application/jsonl', ''],
  ['application/x-ndjson', ''],
  ['application/json-seq', '\x1e'],
])
