import { json } from '../reply.ts'
import { route, type Route } from '../route.ts'
import { notBuiltYet } from './missing.ts'

const message = 'building images is not built yet'

export function buildRoutes(): readonly Route[] {
  return [
    notBuiltYet('ImageBuild', 'POST', '/build', message),
    route({
      operation: 'BuildPrune',
      method: 'POST',
      path: '/build/prune',
      // Without builds there is no cache.
      handle: () => json({ CachesDeleted: null, SpaceReclaimed: 0 }),
    }),
    notBuiltYet('BuildCancel', 'POST', '/build/cancel', message),
    notBuiltYet('Session', 'POST', '/session', message),
    notBuiltYet('Grpc', 'POST', '/grpc', message),
  ]
}
