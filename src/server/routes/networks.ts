import type { NetworkService } from '#engine/services.ts'
import { json } from '../reply.ts'
import { route, type BodyName, type Method, type Route } from '../route.ts'
import { notBuiltYet, notImplemented } from './missing.ts'

const pruneFilters = ['until', 'label', 'label!']
const listFilters = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']

export function networkRoutes(networks: NetworkService): readonly Route[] {
  const list = (operation: string, path: string): Route =>
    route({
      operation,
      method: 'GET',
      path,
      handle: async ({ query }) => json(await networks.list(query.filters(listFilters))),
    })

  return [
    list('NetworkList', '/networks'),
    { ...list('NetworkList', '/networks/'), alias: true },
    route({
      operation: 'NetworkInspect',
      method: 'GET',
      path: '/networks/{id}',
      handle: async ({ params }) => json(await networks.inspect(params.id)),
    }),
    unchangeable('NetworkCreate', 'POST', '/networks/create', 'NetworkCreate'),
    unchangeable('NetworkConnect', 'POST', '/networks/{id}/connect', 'NetworkConnect'),
    unchangeable('NetworkDisconnect', 'POST', '/networks/{id}/disconnect', 'NetworkDisconnect'),
    notBuiltYet('NetworkDelete', 'DELETE', '/networks/{id}', unbuilt),
    route({
      operation: 'NetworkPrune',
      method: 'POST',
      path: '/networks/prune',
      handle({ query }) {
        query.filters(pruneFilters)
        // Those that are always there are never pruned.
        return json({ NetworksDeleted: null })
      },
    }),
  ]
}

const unbuilt = 'networks of your own are not built yet; use bridge, host or none'

/** Checks the request all the same, so that a client learns of its own mistakes first. */
function unchangeable(operation: string, method: Method, path: string, body: BodyName): Route {
  return {
    operation,
    method,
    path,
    missing: 'not built yet',
    async handle(request) {
      await request.document(body)
      throw notImplemented(unbuilt)
    },
  }
}
