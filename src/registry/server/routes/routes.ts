import { Blobs } from '../content/blobs.ts'
import type { ContentDeps } from '../content/deps.ts'
import { Manifests } from '../content/manifests.ts'
import { Uploads } from '../content/uploads.ts'
import { isReadOnly } from '../content/errors.ts'
import { json } from '../http/reply.ts'
import { route, type Route } from '../http/route.ts'
import { blobRoutes } from './blobs.ts'
import { listRoutes } from './lists.ts'
import { manifestRoutes } from './manifests.ts'
import { uploadRoutes } from './uploads.ts'

/**
 * The OCI distribution-spec 1.1, and Docker's catalogue. The order decides where two patterns fit. `readOnly`: whatever
 * changes something is answered with UNSUPPORTED.
 */
export function distributionRoutes(deps: ContentDeps, readOnly: boolean): readonly Route[] {
  const routes = allRoutes(deps)
  if (!readOnly) return routes
  return routes.map((one) =>
    one.method === 'GET' ? one : { ...one, handle: () => Promise.reject(isReadOnly()) },
  )
}

function allRoutes(deps: ContentDeps): readonly Route[] {
  const base = ['/v2/', '/v2'].map((path) =>
    route({
      operation: 'Base',
      method: 'GET',
      path,
      resource: () => ({ kind: 'base' }),
      handle: () => json({}),
    }),
  )
  return [
    ...base,
    ...uploadRoutes(new Uploads(deps)),
    ...listRoutes(deps),
    ...manifestRoutes(new Manifests(deps), deps.limits),
    ...blobRoutes({ blobs: new Blobs(deps), events: deps.events }),
  ]
}
