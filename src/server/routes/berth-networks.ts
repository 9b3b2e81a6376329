import type { NetworkExplanations } from '#engine/services.ts'
import { json } from '../reply.ts'
import { route, type Route } from '../route.ts'

/** What is reached from where, and why something is not. */
export function berthNetworkRoutes(explanations: NetworkExplanations): readonly Route[] {
  return [
    route({
      operation: 'BerthExposure',
      method: 'GET',
      path: '/berth/exposure',
      handle: async () => json(await explanations.exposure()),
    }),
    route({
      operation: 'BerthUnreachable',
      method: 'GET',
      path: '/berth/containers/{id}/unreachable',
      async handle({ params, query }) {
        const question = { port: query.required('port'), from: query.text('from'), name: query.text('name') }
        return json(await explanations.unreachable(params.id, question))
      },
    }),
  ]
}
