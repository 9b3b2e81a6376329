import type { ExecCreateBody, ExecService } from '#engine/services.ts'
import { parseSignal } from '#engine/containers/config/signals.ts'
import { empty, json } from '../reply.ts'
import { route, type Route } from '../route.ts'
import { size } from './container-streams.ts'
import { streamContentType } from './stream-type.ts'

interface ExecStartBody {
  readonly Detach?: boolean
  readonly Tty?: boolean
  readonly ConsoleSize?: readonly number[]
}

export function execRoutes(execs: ExecService): readonly Route[] {
  return [
    route({
      operation: 'ContainerExec',
      method: 'POST',
      path: '/containers/{id}/exec',
      handle: async (request) =>
        json(
          await execs.create(request.params.id, await request.document<ExecCreateBody>('ContainerExec')),
          201,
        ),
    }),
    route({
      operation: 'ExecStart',
      method: 'POST',
      path: '/exec/{id}/start',
      takesOver: true,
      endless: true,
      async handle(request) {
        const body = await request.document<ExecStartBody>('ExecStart')
        const tty = body.Tty === true
        const attached = await execs.start(request.params.id, {
          detach: body.Detach === true,
          tty,
          consoleSize: tty ? body.ConsoleSize : undefined,
        })
        if (attached === undefined) return empty(200)
        const contentType = streamContentType(attached.tty, request.version)
        return { kind: 'upgrade', attached, contentType }
      },
    }),
    route({
      operation: 'ExecResize',
      method: 'POST',
      path: '/exec/{id}/resize',
      async handle({ params, query }) {
        await execs.resize(params.id, size(query, 'h'), size(query, 'w'))
        return empty(200)
      },
    }),
    route({
      operation: 'ExecInspect',
      method: 'GET',
      path: '/exec/{id}/json',
      handle: ({ params }) => json(execs.inspect(params.id)),
    }),
  ]
}

/** What Docker's API has not. */
export function berthExecRoutes(execs: ExecService): readonly Route[] {
  return [
    route({
      operation: 'BerthExecKill',
      method: 'POST',
      path: '/berth/exec/{id}/kill',
      async handle({ params, query }) {
        await execs.signal(params.id, parseSignal(query.text('signal') ?? 'SIGKILL'))
        return empty(204)
      },
    }),
  ]
}
