import type { NetworkConnectRequest, NetworkDisconnectRequest } from '#api/generated/types.ts'
import type { NetworkCreateBody, NetworkService } from '#engine/services.ts'
import { empty, json } from '../reply.ts'
import { route, type Route } from '../route.ts'

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
    route({
      operation: 'NetworkCreate',
      method: 'POST',
      path: '/networks/create',
      handle: async (request) =>
        json(await networks.create(await request.document<NetworkCreateBody>('NetworkCreate')), 201),
    }),
    route({
      operation: 'NetworkDelete',
      method: 'DELETE',
      path: '/networks/{id}',
      async handle({ params }) {
        await networks.remove(params.id)
        return empty(204)
      },
    }),
    route({
      operation: 'NetworkPrune',
      method: 'POST',
      path: '/networks/prune',
      handle: async ({ query }) => json(await networks.prune(query.filters(pruneFilters))),
    }),
    ...connectionRoutes(networks),
  ]
}

function connectionRoutes(networks: NetworkService): readonly Route[] {
  return [
    route({
      operation: 'NetworkConnect',
      method: 'POST',
      path: '/networks/{id}/connect',
      async handle(request) {
        const body = await request.document<NetworkConnectRequest>('NetworkConnect')
        await networks.connect(request.params.id, body)
        return empty(200)
      },
    }),
    route({
      operation: 'NetworkDisconnect',
      method: 'POST',
      path: '/networks/{id}/disconnect',
      async handle(request) {
        const body = await request.document<NetworkDisconnectRequest>('NetworkDisconnect')
        await networks.disconnect(request.params.id, body)
        return empty(200)
      },
    }),
  ]
}
