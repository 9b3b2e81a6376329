import { EngineError } from '#base/errors.ts'
import type { VolumeTransferService } from '#engine/services.ts'
import type { Query } from '../query.ts'
import { bytes, empty, json } from '../reply.ts'
import { route, type Route } from '../route.ts'

/** Volumes beyond Docker's API: other names, copies, archives. */
export function berthVolumeRoutes(volumes: VolumeTransferService): readonly Route[] {
  return [
    route({
      operation: 'BerthVolumeRename',
      method: 'POST',
      path: '/berth/volumes/{name}/rename',
      async handle({ params, query }) {
        await volumes.rename(params.name, query.required('name'))
        return empty(204)
      },
    }),
    route({
      operation: 'BerthVolumeClone',
      method: 'POST',
      path: '/berth/volumes/{name}/clone',
      async handle({ params, query, signal }) {
        const options = { labels: labelsOf(query), signal }
        return json(await volumes.clone(params.name, query.required('name'), options), 201)
      },
    }),
    route({
      operation: 'BerthVolumeExport',
      method: 'GET',
      path: '/berth/volumes/{name}/export',
      handle: async ({ params, signal }) =>
        bytes('application/x-tar', await volumes.export(params.name, { signal })),
    }),
    route({
      operation: 'BerthVolumeImport',
      method: 'POST',
      path: '/berth/volumes/{name}/import',
      async handle({ params, query, body, signal }) {
        return json(await volumes.import(params.name, body, { labels: labelsOf(query), signal }), 201)
      },
    }),
  ]
}

/** `labels`: a JSON object of strings. */
function labelsOf(query: Query): Record<string, string> {
  const text = query.text('labels')
  if (text === undefined) return {}
  try {
    const labels: unknown = JSON.parse(text)
    if (typeof labels === 'object' && labels !== null && Object.values(labels).every(isString)) {
      return labels as Record<string, string>
    }
  } catch {
    // Said below.
  }
  throw new EngineError('invalid_argument', 'invalid labels: want a JSON object of strings', {
    code: 'PARAMETER_INVALID',
  })
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}
