/** gRPC on a connection that is there already: HTTP/2 by Node, of gRPC's own the frames and the trailers. */
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { once } from 'node:events'
import { EngineError } from '#base/errors.ts'
import type { Message } from '../wire/message.ts'
import { endSession, endWith } from './end-session.ts'
import { frameOf, framesIn } from './frames.ts'
import { type Metadata, metadataOf, percentEncoded } from './metadata.ts'
import { RpcStatus, statusOf } from './status.ts'

export interface Call {
  readonly metadata: Metadata
  /** Aborted when the caller cancels, and when its connection breaks. */
  readonly signal: AbortSignal
}

/** A method of a service: messages in, messages out. */
export type Method = (requests: AsyncIterable<Uint8Array>, call: Call) => AsyncIterable<Uint8Array>

/** By their paths: `/package.Service/Method`. */
export type Methods = Readonly<Record<string, Method>>

/** One message each way. */
export function unary<In, Out>(
  request: Message<In>,
  response: Message<Out>,
  handle: (request: In, call: Call) => Partial<Out> | Promise<Partial<Out>>,
): Method {
  return async function* answer(requests, call) {
    yield response.encode(await handle(request.decode(await only(requests)), call))
  }
}

/** One message in, many out. */
export function streaming<In, Out>(
  request: Message<In>,
  response: Message<Out>,
  handle: (request: In, call: Call) => AsyncIterable<Partial<Out>>,
): Method {
  return async function* answer(requests, call) {
    const given = request.decode(await only(requests))
    for await (const item of handle(given, call)) yield response.encode(item)
  }
}

async function only(requests: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  let first: Uint8Array | undefined
  for await (const request of requests) first ??= request
  if (first !== undefined) return first
  throw new EngineError('invalid_argument', 'the call has no message', { code: 'GRPC_STREAM_MALFORMED' })
}

export interface ServeOptions {
  readonly signal: AbortSignal
  /** Told of what a call has failed by, whatever its client is told. */
  readonly onFailure: (path: string, error: unknown) => void
}

/** Calls at a time, of one connection. */
const MOST_STREAMS = 1000
/** Bytes of trailers, in which a whole Dockerfile may be: what Go's clients take. Node would send 64 KiB. */
const MOST_TRAILERS = 16 << 20

/**
 * Serves `methods` on a connection, until it is closed or `signal` is aborted. Everything that a call holds is released by
 * then: its signal is aborted, and its generator is through. Never rejects.
 */
export async function serveGrpc(
  connection: Duplex,
  methods: Methods,
  { signal, onFailure }: ServeOptions,
): Promise<void> {
  const session = performServerHandshake(connection, {
    settings: { maxConcurrentStreams: MOST_STREAMS },
    maxSendHeaderBlockLength: MOST_TRAILERS,
  })
  const running = new Set<Promise<void>>()
  session.on('stream', (stream: ServerHttp2Stream, headers, _flags, rawHeaders) => {
    const request = { path: headers[':path'] ?? '', metadata: metadataOf(rawHeaders) }
    const call = serveCall(stream, request, methods, onFailure).finally(() => running.delete(call))
    running.add(call)
  })
  endWith(connection, session)
  await untilClosed(session, signal)
  await Promise.all(running)
}

async function untilClosed(session: ServerHttp2Session, signal: AbortSignal): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  session.once('close', resolve)
  // A connection that breaks is one that is closed: whoever uses it is told by its call.
  session.on('error', () => endSession(session))
  const onAbort = (): void => endSession(session)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  await closed
  signal.removeEventListener('abort', onAbort)
}

async function serveCall(
  stream: ServerHttp2Stream,
  { path, metadata }: { readonly path: string; readonly metadata: Metadata },
  methods: Methods,
  onFailure: ServeOptions['onFailure'],
): Promise<void> {
  const cancel = new AbortController()
  stream.on('error', () => cancel.abort(cancelled()))
  stream.once('close', () => cancel.abort(cancelled()))
  const { signal } = cancel
  try {
    const requests = framesIn(stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>)
    const method = methodOf(path, methods)
    const answers = method(requests, { metadata, signal })
    for await (const answer of answers) {
      if (signal.aborted) break
      await send(stream, answer, signal)
    }
    finish(stream, { code: 0, message: '', details: [] })
  } catch (error) {
    if (!signal.aborted) onFailure(path, error)
    finish(stream, statusOf(error))
  }
}

function methodOf(path: string, methods: Methods): Method {
  const method = Object.hasOwn(methods, path) ? methods[path] : undefined
  if (method !== undefined) return method
  throw new EngineError('not_implemented', `unknown method ${path}`, { code: 'GRPC_METHOD_UNKNOWN' })
}

const HEADERS = { ':status': 200, 'content-type': 'application/grpc' }

async function send(stream: ServerHttp2Stream, message: Uint8Array, signal: AbortSignal): Promise<void> {
  if (stream.destroyed) return
  if (!stream.headersSent) stream.respond(HEADERS, { waitForTrailers: true })
  if (!stream.write(frameOf(message))) await once(stream, 'drain', { signal })
}

function finish(stream: ServerHttp2Stream, status: RpcStatus): void {
  if (stream.destroyed) return
  const details = status.code === 0 ? '' : Buffer.from(RpcStatus.encode(status)).toString('base64')
  const trailers = {
    'grpc-status': String(status.code),
    ...(status.message === '' ? {} : { 'grpc-message': percentEncoded(status.message) }),
    // Better the message alone than none.
    ...(details === '' || details.length > MOST_TRAILERS / 2 ? {} : { 'grpc-status-details-bin': details }),
  }
  if (stream.headersSent) {
    stream.once('wantTrailers', () => stream.sendTrailers(trailers))
    stream.end()
  } else {
    stream.respond({ ...HEADERS, ...trailers }, { endStream: true })
  }
  // What still comes is thrown away until the caller has seen this: a reset could overtake it.
  stream.resume()
}

function cancelled(): EngineError {
  return new EngineError('cancelled', 'the client has cancelled the call', { code: 'REQUEST_CANCELLED' })
}
