import type { Blobs } from '../content/blobs.ts'
import { empty, type Reply, type ReplyHeaders } from '../http/reply.ts'
import { route, type RegistryRequest, type Route } from '../http/route.ts'
import { parseDigest } from '../names.ts'
import type { EventPublisher } from '../event-publisher.ts'
import { isUnchanged } from './conditional.ts'
import { repository } from './resources.ts'
import { parseRange } from './range.ts'

const OCTETS = 'application/octet-stream'

/** end-2 and end-10 */
export function blobRoutes(deps: {
  readonly blobs: Blobs
  readonly events: EventPublisher
}): readonly Route[] {
  const { blobs } = deps
  return [
    route({
      operation: 'BlobGet',
      method: 'GET',
      path: '/v2/{name}/blobs/{digest}',
      resource: repository('pull'),
      handle: (request) => (request.method === 'HEAD' ? head(blobs, request) : get(deps, request)),
    }),
    route({
      operation: 'BlobDelete',
      method: 'DELETE',
      path: '/v2/{name}/blobs/{digest}',
      resource: repository('delete'),
      async handle({ params }) {
        await blobs.remove(params.name, parseDigest(params.digest))
        return empty(202)
      },
    }),
  ]
}

type BlobRequest = RegistryRequest<'name' | 'digest'>

async function head(blobs: Blobs, request: BlobRequest): Promise<Reply> {
  const digest = parseDigest(request.params.digest)
  const size = await blobs.check(request.params.name, digest, request)
  return empty(200, { ...headersOf(digest), 'Content-Length': String(size), 'Content-Type': OCTETS })
}

async function get(
  { blobs, events }: { readonly blobs: Blobs; readonly events: EventPublisher },
  request: BlobRequest,
): Promise<Reply> {
  const { params, headers } = request
  const digest = parseDigest(params.digest)
  const shared = headersOf(digest)
  const blob = await blobs.open(params.name, digest, request)
  const { size } = blob
  if (isUnchanged(headers, digest)) return empty(304, shared)
  const range = headers['if-range'] === undefined || headers['if-range'] === shared['ETag']
  const wanted = range ? parseRange(headers.range, size) : undefined
  const reply = { kind: 'stream', contentType: OCTETS, chunks: await blob.read(wanted) } as const
  if (wanted === undefined) {
    events.publish(request, {
      action: 'pull',
      repository: params.name,
      digest,
      tag: undefined,
      mediaType: OCTETS,
      size,
    })
    return { ...reply, status: 200, size, headers: shared }
  }
  const { offset, end } = wanted
  const contentRange = { 'Content-Range': `bytes ${offset}-${end - 1}/${size}` }
  return { ...reply, status: 206, size: end - offset, headers: { ...shared, ...contentRange } }
}

function headersOf(digest: string): ReplyHeaders {
  return {
    'Docker-Content-Digest': digest,
    ETag: `"${digest}"`,
    'Accept-Ranges': 'bytes',
    // What a digest names never changes; who may have it does.
    'Cache-Control': 'private, max-age=31536000, immutable',
  }
}
