import type { Logger } from '#base/logger.ts'
import { bytes, json } from '../http/reply.ts'
import { route, type Route } from '../http/route.ts'
import { METRICS_TYPE, type Metrics } from './metrics.ts'

/** For whoever watches the registry: orchestrators and Prometheus send no credentials. Nothing in it names a repository. */
export function watchRoutes(deps: {
  readonly metrics: Metrics
  /** Rejects when requests would fail. */
  readonly ready: () => Promise<void>
  readonly logger: Logger
}): readonly Route[] {
  return [
    route({
      operation: 'Health',
      method: 'GET',
      path: '/healthz',
      resource: 'open',
      handle: () => json({ status: 'ok' }),
    }),
    route({
      operation: 'Readiness',
      method: 'GET',
      path: '/readyz',
      resource: 'open',
      async handle() {
        try {
          await deps.ready()
          return json({ status: 'ok' })
        } catch (error) {
          deps.logger.error('not ready', { error })
          return json({ status: 'unavailable' }, {}, 503)
        }
      },
    }),
    route({
      operation: 'Metrics',
      method: 'GET',
      path: '/metrics',
      resource: 'open',
      handle: () => bytes(METRICS_TYPE, Buffer.from(deps.metrics.render())),
    }),
  ]
}
