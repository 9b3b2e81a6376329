import { frame, streamType } from '#api/stdcopy.ts'
import { EngineError, messageOf } from '#base/errors.ts'
import type { AttachOptions, ContainerQuery, Engine, LogOptions } from '#engine/services.ts'
import type { Query } from '../query.ts'
import { json, type Reply } from '../reply.ts'
import { route, type Route } from '../route.ts'
import { streamContentType } from './stream-type.ts'

const MAX_UINT32 = 0xffff_ffff

export function containerStreamRoutes({
  streams,
  query: containers,
}: Pick<Engine, 'streams' | 'query'>): readonly Route[] {
  return [
    route({
      operation: 'ContainerLogs',
      method: 'GET',
      path: '/containers/{id}/logs',
      endless: true,
      async handle({ params, query, version, signal }) {
        const { tty, stream } = await streams.logs(params.id, { ...logOptions(query), signal })
        return {
          kind: 'bytes',
          contentType: streamContentType(tty, version),
          chunks: stream,
          failure: (error) => logFailure(tty, error),
        }
      },
    }),
    route({
      operation: 'ContainerAttach',
      method: 'POST',
      path: '/containers/{id}/attach',
      takesOver: true,
      endless: true,
      async handle({ params, query, version, signal }) {
        const attached = await streams.attach(params.id, attachOptions(query, signal))
        return { kind: 'upgrade', attached, contentType: streamContentType(attached.tty, version) }
      },
    }),
    ...terminalRoutes(streams),
    route({
      operation: 'ContainerAttachWebsocket',
      method: 'GET',
      path: '/containers/{id}/attach/ws',
      takesOver: true,
      endless: true,
      async handle({ params, query, signal }) {
        const attached = await streams.attach(params.id, attachOptions(query, signal))
        return { kind: 'websocket', attached, text: false }
      },
    }),
    route({
      operation: 'ContainerStats',
      method: 'GET',
      path: '/containers/{id}/stats',
      endless: true,
      handle: async ({ params, query, signal }) => statsReply(containers, params.id, query, signal),
    }),
  ]
}

function attachOptions(query: Query, signal: AbortSignal): AttachOptions {
  return {
    stdin: query.flag('stdin'),
    stdout: query.flag('stdout'),
    stderr: query.flag('stderr'),
    stream: query.flag('stream'),
    logs: query.flag('logs'),
    detachKeys: query.text('detachKeys'),
    signal,
  }
}

function terminalRoutes(streams: Engine['streams']): readonly Route[] {
  return [
    route({
      operation: 'ContainerResize',
      method: 'POST',
      path: '/containers/{id}/resize',
      async handle({ params, query }) {
        await streams.resize(params.id, size(query, 'h'), size(query, 'w'))
        return { kind: 'empty', status: 200 }
      },
    }),
  ]
}

/** A terminal dimension. */
export function size(query: Query, name: 'h' | 'w'): number {
  const text = query.text(name) ?? ''
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= MAX_UINT32) return value
  const side = name === 'h' ? 'height' : 'width'
  const why = /^[+-]?\d+$/.test(text) ? 'value out of range' : 'invalid syntax'
  throw new EngineError('invalid_argument', `invalid resize ${side} ${JSON.stringify(text)}: ${why}`, {
    code: 'TERMINAL_SIZE_INVALID',
  })
}

function logOptions(query: Query): LogOptions {
  const stdout = query.flag('stdout')
  const stderr = query.flag('stderr')
  if (!stdout && !stderr) {
    throw new EngineError('invalid_argument', 'Bad parameters: you must choose at least one stream', {
      code: 'LOGS_NO_STREAM',
    })
  }
  return {
    stdout,
    stderr,
    follow: query.flag('follow'),
    timestamps: query.flag('timestamps'),
    details: query.flag('details'),
    since: query.timestamp('since'),
    until: query.timestamp('until'),
    tail: tail(query.text('tail')),
  }
}

/** Whatever is no count means everything. */
function tail(text: string | undefined): number | undefined {
  return text !== undefined && /^\+?\d{1,15}$/.test(text) ? Number(text) : undefined
}

function logFailure(tty: boolean, error: unknown): Uint8Array {
  const text = Buffer.from(`Error grabbing logs: ${messageOf(error)}\n`)
  return tty ? text : frame(streamType.error, text)
}

async function statsReply(
  containers: ContainerQuery,
  ref: string,
  query: Query,
  signal: AbortSignal,
): Promise<Reply> {
  const stream = query.flag('stream', true)
  if (stream && query.flag('one-shot')) {
    throw new EngineError('invalid_argument', 'cannot have stream=true and one-shot=true', {
      code: 'PARAMETER_INVALID',
    })
  }
  // An unknown container has to be known before the head is sent.
  await containers.inspect(ref, { size: false })
  const samples = containers.stats(ref, { stream, oneShot: query.flag('one-shot'), signal })
  if (!stream) return json(await only(samples))
  return {
    kind: 'records',
    contentType: 'application/json',
    items: samples,
    before: '',
    after: '\n',
    head: 'at once',
  }
}

async function only(items: AsyncIterable<unknown>): Promise<unknown> {
  for await (const item of items) return item
  throw new EngineError('internal', 'no statistics were read', { code: 'STATS_EMPTY' })
}
