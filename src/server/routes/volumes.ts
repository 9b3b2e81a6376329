import type { VolumeService } from '#engine/services.ts'
import { empty, json } from '../reply.ts'
import { route, type Route } from '../route.ts'

export function volumeRoutes(volumes: VolumeService): readonly Route[] {
  return [
    route({
      operation: 'VolumeList',
      method: 'GET',
      path: '/volumes',
      async handle({ query }) {
        return json(await volumes.list(query.filters(['dangling', 'driver', 'label', 'name'])))
      },
    }),
    route({
      operation: 'VolumeCreate',
      method: 'POST',
      path: '/volumes/create',
      handle: async (request) => json(await volumes.create(await request.document('VolumeCreate')), 201),
    }),
    route({
      operation: 'VolumeInspect',
      method: 'GET',
      path: '/volumes/{name}',
      handle: async ({ params }) => json(await volumes.inspect(params.name)),
    }),
    route({
      operation: 'VolumeDelete',
      method: 'DELETE',
      path: '/volumes/{name}',
      async handle({ params, query }) {
        await volumes.remove(params.name, { force: query.flag('force') })
        return empty(204)
      },
    }),
    route({
      operation: 'VolumePrune',
      method: 'POST',
      path: '/volumes/prune',
      handle: async ({ query }) => json(await volumes.prune(query.filters(['all', 'label', 'label!']))),
    }),
  ]
}
