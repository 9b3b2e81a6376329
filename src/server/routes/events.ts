import { isBefore, type ApiVersion } from '#api/version.ts'
import type { EventService } from '#engine/services.ts'
import type { RecordsReply } from '../reply.ts'
import { route, type Route } from '../route.ts'

export function eventRoutes(events: EventService): readonly Route[] {
  return [
    route({
      operation: 'SystemEvents',
      method: 'GET',
      path: '/events',
      endless: true,
      handle: ({ query, headers, version, signal }) => ({
        kind: 'records',
        ...recordFormat(headers.accept, version),
        items: events.subscribe({
          since: query.timestamp('since'),
          until: query.timestamp('until'),
          filters: query.filters(),
          signal,
        }),
        after: '\n',
        head: 'at once',
      }),
    }),
  ]
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
