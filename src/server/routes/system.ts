import { isBefore } from '#api/version.ts'
import { EngineError } from '#base/errors.ts'
import type { Engine } from '#engine/services.ts'
import { empty, json } from '../reply.ts'
import { route, type Route } from '../route.ts'
import { legacyDiskUsage } from '../versions/system.ts'

export function systemRoutes({ system }: Pick<Engine, 'system'>): readonly Route[] {
  const pingHeaders = () => ({
    'Builder-Version': system.builderVersion,
    Swarm: 'inactive',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
  })
  const options = { operation: 'Options', method: 'OPTIONS', handle: () => empty(200) } as const
  const systemInfo = coalesced(() => system.info())

  return [
    route({
      operation: 'SystemPingHead',
      method: 'HEAD',
      path: '/_ping',
      handle: () => empty(200, { 'Content-Type': 'text/plain; charset=utf-8', ...pingHeaders() }),
    }),
    route({
      operation: 'SystemPing',
      method: 'GET',
      path: '/_ping',
      handle: () => ({ kind: 'text', status: 200, body: 'OK', headers: pingHeaders() }),
    }),
    route({
      operation: 'SystemVersion',
      method: 'GET',
      path: '/version',
      handle: async () => json(await system.version()),
    }),
    route({
      operation: 'SystemInfo',
      method: 'GET',
      path: '/info',
      handle: async () => json(await systemInfo()),
    }),
    route({
      operation: 'SystemDataUsage',
      method: 'GET',
      path: '/system/df',
      async handle({ query, version }) {
        const types = query.list('type')
        for (const type of types) if (!usageTypes.includes(type)) throw unknownType(type)
        const usage = await system.diskUsage({ types })
        if (isBefore(version, '1.52') || query.flag('verbose')) return json(usage)
        return json({ ...totalsOf(usage), ...legacyDiskUsage(usage) })
      },
    }),
    route({ ...options, path: '/' }),
    route({ ...options, path: '/{path}', greedy: true }),
  ]
}

const usageTypes = ['container', 'image', 'volume', 'build-cache']

function unknownType(type: string): EngineError {
  return new EngineError('invalid_argument', `unknown object type: ${type}`, { code: 'PARAMETER_INVALID' })
}

/** The usage of each type without its list. */
function totalsOf(usage: object): object {
  return Object.fromEntries(
    Object.entries(usage).map(([name, value]: [string, unknown]) => {
      if (typeof value !== 'object' || value === null) return [name, value]
      const { Items: _list, ...totals } = value as { readonly Items?: unknown }
      return [name, totals]
    }),
  )
}

/** Calls that overlap share one result. */
function coalesced<T>(produce: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  return () =>
    (running ??= produce().finally(() => {
      running = undefined
    }))
}
