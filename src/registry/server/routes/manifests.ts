import { engineErrorOf } from '#base/errors.ts'
import { manifestTooLarge, manifestUnknown } from '../content/errors.ts'
import { manifestLocation } from '../content/locations.ts'
import type { FoundManifest, Manifests } from '../content/manifests.ts'
import { readWhole } from '../http/body.ts'
import { bytes, empty, type Reply, type ReplyHeaders } from '../http/reply.ts'
import { route, type RegistryRequest, type Route } from '../http/route.ts'
import { isAccepted, isUnchanged } from './conditional.ts'
import { repository } from './resources.ts'

const MANIFEST = '/v2/{name}/manifests/{reference}'
type ManifestRequest = RegistryRequest<'name' | 'reference'>

/** end-3, end-7, end-9 */
export function manifestRoutes(
  manifests: Manifests,
  limits: { readonly manifest: number },
): readonly Route[] {
  return [
    route({
      operation: 'ManifestGet',
      method: 'GET',
      path: MANIFEST,
      resource: repository('pull'),
      handle: (request) => get(manifests, request),
    }),
    route({
      operation: 'ManifestPut',
      method: 'PUT',
      path: MANIFEST,
      resource: repository('pull', 'push'),
      handle: (request) => put(manifests, limits.manifest, request),
    }),
    route({
      operation: 'ManifestDelete',
      method: 'DELETE',
      path: MANIFEST,
      resource: repository('delete'),
      async handle(request) {
        await manifests.remove(request.params.name, request.params.reference, request)
        return empty(202)
      },
    }),
  ]
}

async function get(manifests: Manifests, request: ManifestRequest): Promise<Reply> {
  const { params, headers, method } = request
  const found = await manifests.find(params.name, params.reference, request)
  const { row } = found
  if (!isAccepted(headers.accept, row.mediaType)) {
    throw manifestUnknown(params.reference, `it is a ${row.mediaType}, which the request does not accept`)
  }
  const shared = headersOf(found)
  if (isUnchanged(headers, row.digest)) return empty(304, shared)
  if (method === 'HEAD') {
    manifests.touch(found)
    return empty(200, { ...shared, 'Content-Type': row.mediaType, 'Content-Length': String(row.size) })
  }
  return bytes(row.mediaType, manifests.read(found, request), shared)
}

async function put(manifests: Manifests, limit: number, request: ManifestRequest): Promise<Reply> {
  const { params, headers, query, body } = request
  const document = await readWhole(body, limit).catch((error: unknown) => {
    throw engineErrorOf(error)?.code === 'BODY_TOO_LARGE' ? manifestTooLarge(limit) : error
  })
  const { digest, subject, tags } = await manifests.put(
    params.name,
    params.reference,
    { bytes: document, contentType: headers['content-type'], tags: query.getAll('tag') },
    request,
  )
  return empty(201, {
    Location: manifestLocation(params.name, digest),
    'Docker-Content-Digest': digest,
    ...(subject === undefined ? {} : { 'OCI-Subject': subject }),
    ...(query.has('tag') && tags.length > 0 ? { 'OCI-Tag': tags.join(', ') } : {}),
  })
}

function headersOf({ row: { digest }, headers }: FoundManifest): ReplyHeaders {
  return { ...headers, 'Docker-Content-Digest': digest, ETag: `"${digest}"`, Vary: 'Accept' }
}
