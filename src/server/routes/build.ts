import { encodeUpdate } from '#api/build-updates.ts'
import { EngineError, engineErrorOf, messageOf } from '#base/errors.ts'
import type { BuildMessage, BuildService } from '#engine/builds/service.ts'
import { empty, json, type RecordsReply } from '../reply.ts'
import { route, type Route, type RouteRequest } from '../route.ts'
import { buildOptions } from './build-options.ts'
import { classicFailure, classicOutput } from './classic-build-output.ts'

const cacheFields = ['until', 'id', 'parent', 'type', 'description', 'inuse', 'shared', 'private']
/** Keys of `/build/prune`. */
export const pruneFilters = [...cacheFields, 'label', 'label!']

export function buildRoutes(builds: BuildService): readonly Route[] {
  return [
    route({
      operation: 'ImageBuild',
      method: 'POST',
      path: '/build',
      // A build takes as long as its steps do: an engine that is stopped does not wait for it.
      endless: true,
      handle: (request) => build(builds, request),
    }),
    route({
      operation: 'BuildPrune',
      method: 'POST',
      path: '/build/prune',
      async handle({ query, signal }) {
        const { CachesDeleted, SpaceReclaimed } = await builds.prune({
          all: query.flag('all'),
          filters: query.filters(pruneFilters),
          keepStorage: query.integer('keep-storage'),
          reservedSpace: query.integer('reserved-space'),
          maxUsedSpace: query.integer('max-used-space'),
          minFreeSpace: query.integer('min-free-space'),
          signal,
        })
        // An empty list is null in Docker's answers.
        return json({ CachesDeleted: CachesDeleted.length === 0 ? null : CachesDeleted, SpaceReclaimed })
      },
    }),
    route({
      operation: 'BuildCancel',
      method: 'POST',
      path: '/build/cancel',
      handle({ query }) {
        const id = query.required('id')
        if (!builds.cancel(id)) throw noSuchBuild(id)
        return empty(204)
      },
    }),
  ]
}

async function build(builds: BuildService, request: RouteRequest): Promise<RecordsReply> {
  const { query } = request
  const messages = builds.build(await buildOptions(request))
  if (query.flag('berth-progress')) return records(updates(messages), updateFailure)
  const version2 = query.text('version') === '2'
  return records(classicOutput(messages, { quiet: query.flag('q'), version2 }), classicFailure)
}

function records(items: AsyncIterable<unknown>, failure: (error: unknown) => unknown): RecordsReply {
  return {
    kind: 'records',
    contentType: 'application/json',
    items,
    before: '',
    after: '\r\n',
    head: 'with first',
    failure,
  }
}

async function* updates(messages: AsyncIterable<BuildMessage>): AsyncGenerator<object> {
  for await (const message of messages) yield encodeUpdate(message)
}

/** Docker's form, and beside it what our own client needs to explain the failure. */
function updateFailure(error: unknown): object {
  const known = engineErrorOf(error)
  const message = known?.message ?? messageOf(error)
  const { kind, code, details } = known ?? {}
  return { errorDetail: { message }, error: message, 'berth.error': { kind, code, details } }
}

function noSuchBuild(id: string): EngineError {
  return new EngineError('not_found', `No such build: ${id}; it has ended, or it never began`, {
    code: 'BUILD_NOT_FOUND',
  })
}
