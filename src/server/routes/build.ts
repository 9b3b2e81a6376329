import type { Route } from '../route.ts'
import { notBuiltYet } from './missing.ts'

const message = 'building images is not built yet'

export function buildRoutes(): readonly Route[] {
  return [
    notBuiltYet('ImageBuild', 'POST', '/build', message),
    notBuiltYet('BuildPrune', 'POST', '/build/prune', message),
    notBuiltYet('BuildCancel', 'POST', '/build/cancel', message),
    notBuiltYet('Session', 'POST', '/session', message),
    notBuiltYet('Grpc', 'POST', '/grpc', message),
  ]
}
