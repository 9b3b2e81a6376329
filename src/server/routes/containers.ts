import type { ContainerLifecycle, ContainerQuery } from '#engine/services.ts'
import { EngineError } from '#base/errors.ts'
import { empty, json } from '../reply.ts'
import type { Query } from '../query.ts'
import { route, type Route, type RouteRequest } from '../route.ts'
import { notBuiltYet } from './missing.ts'

const listFilters =
  'ancestor before since exited expose publish health id is-task isolation label name network status volume'

/** What older requests are given when they are lifted. */
const liftedFields: readonly string[] = ['HostConfig', 'ShallowReadOnlyBinds']

/** Docker's clients up to 1.23 sent a few bytes of JSON with start; more than that is a mistake. */
const MAX_START_BODY = 7

export function containerRoutes(lifecycle: ContainerLifecycle, query: ContainerQuery): readonly Route[] {
  return [...queryRoutes(query), ...lifecycleRoutes(lifecycle), ...stateRoutes(lifecycle), ...checkpoints()]
}

function queryRoutes(containers: ContainerQuery): readonly Route[] {
  return [
    route({
      operation: 'ContainerList',
      method: 'GET',
      path: '/containers/json',
      async handle({ query }) {
        const filters = query.filters(listFilters.split(' '))
        const limit = atLeastOne(query.integer('limit'))
        const all = query.flag('all') || limit !== undefined || filters.has('status')
        return json(await containers.list({ all, limit, size: query.flag('size'), filters }))
      },
    }),
    route({
      operation: 'ContainerInspect',
      method: 'GET',
      // A link has two names: CLIENT/ALIAS.
      path: '/containers/{id}/json',
      greedy: true,
      handle: async ({ params, query }) =>
        json(await containers.inspect(params.id, { size: query.flag('size') })),
    }),
    route({
      operation: 'ContainerTop',
      method: 'GET',
      path: '/containers/{id}/top',
      handle: async ({ params, query }) =>
        json(await containers.top(params.id, query.text('ps_args') ?? '-ef')),
    }),
    route({
      operation: 'ContainerChanges',
      method: 'GET',
      path: '/containers/{id}/changes',
      async handle({ params }) {
        const changes = await containers.changes(params.id)
        return json(changes.length === 0 ? null : changes)
      },
    }),
  ]
}

function lifecycleRoutes(containers: ContainerLifecycle): readonly Route[] {
  return [
    route({
      operation: 'ContainerCreate',
      method: 'POST',
      path: '/containers/create',
      async handle(request) {
        const body = await request.document<Parameters<ContainerLifecycle['create']>[0]>('ContainerCreate')
        if (Object.keys(body).every((name) => liftedFields.includes(name))) throw emptyConfig()
        const { query } = request
        const name = query.text('name')
        return json(await containers.create(body, { name, platform: query.text('platform') }), 201)
      },
    }),
    route({
      operation: 'ContainerUpdate',
      method: 'POST',
      path: '/containers/{id}/update',
      handle: async (request) =>
        json(await containers.update(request.params.id, await request.document('ContainerUpdate'))),
    }),
    route({
      operation: 'ContainerRename',
      method: 'POST',
      path: '/containers/{id}/rename',
      async handle({ params, query }) {
        await containers.rename(params.id, query.text('name') ?? '')
        return empty(204)
      },
    }),
    route({
      operation: 'ContainerDelete',
      method: 'DELETE',
      // A link has two names: CLIENT/ALIAS.
      path: '/containers/{id}',
      greedy: true,
      async handle({ params, query }) {
        const options = { force: query.flag('force'), volumes: query.flag('v'), link: query.flag('link') }
        await containers.remove(params.id, options)
        return empty(204)
      },
    }),
    route({
      operation: 'ContainerPrune',
      method: 'POST',
      path: '/containers/prune',
      handle: async ({ query }) => json(await containers.prune(query.filters(['until', 'label', 'label!']))),
    }),
    route({
      operation: 'ContainerWait',
      method: 'POST',
      path: '/containers/{id}/wait',
      endless: true,
      handle({ params, query, signal }) {
        // Registered before the head is sent: clients start the container as soon as they see it.
        const { result } = containers.wait(params.id, query.text('condition'), { signal })
        return { kind: 'pending', body: result }
      },
    }),
  ]
}

function stateRoutes(containers: ContainerLifecycle): readonly Route[] {
  return [
    route({
      operation: 'ContainerStart',
      method: 'POST',
      path: '/containers/{id}/start',
      async handle(request) {
        refuseStartBody(request)
        const started = await containers.start(request.params.id, { signal: request.signal })
        return empty(started ? 204 : 304)
      },
    }),
    // Stopping goes on when the client leaves: no signal from here on.
    route({
      operation: 'ContainerStop',
      method: 'POST',
      path: '/containers/{id}/stop',
      handle: async ({ params, query }) =>
        empty((await containers.stop(params.id, stopOptions(query))) ? 204 : 304),
    }),
    route({
      operation: 'ContainerRestart',
      method: 'POST',
      path: '/containers/{id}/restart',
      async handle({ params, query }) {
        await containers.restart(params.id, stopOptions(query))
        return empty(204)
      },
    }),
    route({
      operation: 'ContainerKill',
      method: 'POST',
      path: '/containers/{id}/kill',
      async handle({ params, query }) {
        await containers.kill(params.id, query.text('signal'))
        return empty(204)
      },
    }),
    route({
      operation: 'ContainerPause',
      method: 'POST',
      path: '/containers/{id}/pause',
      async handle({ params }) {
        await containers.pause(params.id)
        return empty(204)
      },
    }),
    route({
      operation: 'ContainerUnpause',
      method: 'POST',
      path: '/containers/{id}/unpause',
      async handle({ params }) {
        await containers.unpause(params.id)
        return empty(204)
      },
    }),
  ]
}

function checkpoints(): readonly Route[] {
  const message = 'checkpoints are not built yet'
  const path = '/containers/{id}/checkpoints'
  return [
    notBuiltYet('CheckpointList', 'GET', path, message),
    notBuiltYet('CheckpointCreate', 'POST', path, message),
    notBuiltYet('CheckpointDelete', 'DELETE', `${path}/{checkpoint}`, message),
  ]
}

function stopOptions(query: Query): { timeout: number | undefined; signal: string | undefined } {
  return { timeout: query.integer('t'), signal: query.text('signal') }
}

function atLeastOne(limit: number | undefined): number | undefined {
  return limit !== undefined && limit > 0 ? limit : undefined
}

function refuseStartBody({ headers }: RouteRequest): void {
  if (
    headers['transfer-encoding'] === undefined &&
    Number(headers['content-length'] ?? 0) <= MAX_START_BODY
  ) {
    return
  }
  throw new EngineError(
    'invalid_argument',
    'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
    { code: 'START_BODY_REFUSED' },
  )
}

function emptyConfig(): EngineError {
  return new EngineError('invalid_argument', 'config cannot be empty in order to create a container', {
    code: 'CONTAINER_CONFIG_EMPTY',
  })
}
