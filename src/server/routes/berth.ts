import type { Engine } from '#engine/services.ts'
import { progress } from '../reply.ts'
import { route, type Route } from '../route.ts'

/** What Docker's API has no place for. */
export function berthRoutes({ fsck }: Pick<Engine, 'fsck'>): readonly Route[] {
  return [
    route({
      operation: 'BerthFsck',
      method: 'POST',
      path: '/berth/fsck',
      handle: ({ query, signal }) => progress(fsck.check({ repair: query.flag('repair'), signal })),
    }),
  ]
}
