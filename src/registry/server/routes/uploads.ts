import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { parseContentRange } from '../content/content-range.ts'
import { blobLocation, uploadHeaders } from '../content/locations.ts'
import type { Incoming, Uploads } from '../content/uploads.ts'
import { empty, type Reply } from '../http/reply.ts'
import { route, type RegistryRequest, type Route } from '../http/route.ts'
import { checkName, parseDigest } from '../names.ts'
import { repository } from './resources.ts'

const UPLOAD = '/v2/{name}/blobs/uploads/{id}'

/** end-4, end-5, end-6, end-11, end-13 */
export function uploadRoutes(uploads: Uploads): readonly Route[] {
  const resource = repository('pull', 'push')
  const begin = ['/v2/{name}/blobs/uploads/', '/v2/{name}/blobs/uploads'].map((path) =>
    route({
      operation: 'UploadBegin',
      method: 'POST',
      path: path as '/v2/{name}/blobs/uploads/',
      resource,
      handle: (request) => post(uploads, request),
    }),
  )
  return [
    ...begin,
    route({
      operation: 'UploadAppend',
      method: 'PATCH',
      path: UPLOAD,
      resource,
      async handle(request) {
        const { name, id } = request.params
        const size = await uploads.append(name, id, incoming(request), request)
        return empty(202, uploadHeaders(name, id, size))
      },
    }),
    route({
      operation: 'UploadCommit',
      method: 'PUT',
      path: UPLOAD,
      resource,
      handle: (request) => put(uploads, request),
    }),
    route({
      operation: 'UploadStatus',
      method: 'GET',
      path: UPLOAD,
      resource,
      async handle(request) {
        const { name, id } = request.params
        return empty(204, uploadHeaders(name, id, await uploads.size(name, id, request)))
      },
    }),
    route({
      operation: 'UploadCancel',
      method: 'DELETE',
      path: UPLOAD,
      resource,
      async handle(request) {
        await uploads.cancel(request.params.name, request.params.id, request)
        return empty(204)
      },
    }),
  ]
}

async function post(uploads: Uploads, request: RegistryRequest<'name'>): Promise<Reply> {
  const { params, query } = request
  const { name } = params
  const algorithm = query.get('digest-algorithm') ?? 'sha256'
  if (algorithm !== 'sha256') parseDigest(`${algorithm}:0`)
  const mount = query.get('mount')
  if (mount !== null) {
    const digest = parseDigest(mount)
    const from = query.get('from') ?? undefined
    if (from !== undefined) checkName(from)
    if (await uploads.mount(name, digest, from, request)) return created(name, digest)
  }
  const digest = query.get('digest')
  const known = digest === null ? undefined : parseDigest(digest)
  if (known === undefined || mount !== null) {
    return empty(202, uploadHeaders(name, await uploads.begin(name, request), 0))
  }
  await uploads.whole(name, known, incoming(request), request)
  return created(name, known)
}

async function put(uploads: Uploads, request: RegistryRequest<'name' | 'id'>): Promise<Reply> {
  const { name, id } = request.params
  const text = request.query.get('digest')
  if (text === null) {
    throw new EngineError('invalid_argument', 'the query has no digest', { code: 'DIGEST_INVALID' })
  }
  const digest = parseDigest(text)
  await uploads.commit(name, id, digest, incoming(request), request)
  return created(name, digest)
}

function created(name: string, digest: Digest): Reply {
  return empty(201, { Location: blobLocation(name, digest), 'Docker-Content-Digest': digest })
}

function incoming({ headers, body }: RegistryRequest): Incoming {
  const length = headers['content-length']
  const chunked = headers['transfer-encoding'] !== undefined
  return {
    body,
    range: parseContentRange(headers['content-range']),
    length: length !== undefined ? Number(length) : chunked ? undefined : 0,
  }
}
