import { parseRegistryConfig } from '#api/registry-auth.ts'
import type { Engine } from '#engine/services.ts'
import { json, progress } from '../reply.ts'
import { route, type Route } from '../route.ts'

/** What Docker's API has no place for. */
export function berthRoutes({ fsck, why }: Pick<Engine, 'fsck' | 'why'>): readonly Route[] {
  return [
    route({
      operation: 'BerthWhy',
      method: 'GET',
      path: '/berth/containers/{id}/why',
      handle: async ({ params }) => json(await why.why(params.id)),
    }),
    route({
      operation: 'BerthFsck',
      method: 'POST',
      path: '/berth/fsck',
      handle({ query, headers, signal }) {
        const auths = parseRegistryConfig(headers['x-registry-config']?.toString())
        return progress(fsck.check({ repair: query.flag('repair'), auths, signal }))
      },
    }),
  ]
}
