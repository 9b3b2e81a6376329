/** The other direction: we call services that the client offers on a connection that it has made to us. */
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { EngineError } from '#base/errors.ts'
import type { Message } from '../wire/message.ts'
import { endSession, endWith } from './end-session.ts'
import { frameOf, framesIn } from './frames.ts'
import { headersOf, type Metadata, percentDecoded } from './metadata.ts'
import { errorOf, RpcStatus } from './status.ts'

/** A call in both directions. Disposing it cancels what is not through. */
export interface Exchange<Out, In> extends Disposable {
  /** Resolves when there is room for more. */
  send(message: Partial<Out>): Promise<void>
  /** Nothing more will be sent. */
  end(): void
  /** What the other side sends; throws what it ends with, if that is a failure. To be read once. */
  readonly answers: AsyncIterable<In>
}

export interface CallOptions {
  readonly metadata?: Metadata
  readonly signal?: AbortSignal | undefined
}

/** Files come in large pieces, and round trips are what costs. */
const STREAM_WINDOW = 4 << 20
const CONNECTION_WINDOW = 16 << 20

/** A client of gRPC on a connection that is there already. */
export class GrpcClient implements Disposable {
  readonly #session: ClientHttp2Session
  /** Settles when the connection is closed; never rejects. */
  readonly closed: Promise<void>

  constructor(connection: Duplex) {
    const session = connect('http://localhost', {
      createConnection: () => connection,
      settings: { initialWindowSize: STREAM_WINDOW, enablePush: false },
    })
    this.#session = session
    const { promise, resolve } = Promise.withResolvers<void>()
    this.closed = promise
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW)
    })
    // Told by the calls that it ends, and by `closed`.
    session.on('error', () => endSession(session))
    session.once('close', resolve)
    endWith(connection, session)
  }

  async unary<In, Out>(
    path: string,
    [request, response]: readonly [Message<In>, Message<Out>],
    value: Partial<In>,
    options: CallOptions = {},
  ): Promise<Out> {
    using call = this.exchange(path, [request, response], options)
    await call.send(value)
    call.end()
    let answer: Out | undefined
    for await (const each of call.answers) answer ??= each
    if (answer !== undefined) return answer
    throw new EngineError('internal', `${path} has answered nothing`, { code: 'GRPC_STREAM_MALFORMED' })
  }

  /** @throws EngineError unavailable when the connection is closed */
  exchange<Out, In>(
    path: string,
    [request, response]: readonly [Message<Out>, Message<In>],
    { metadata = new Map(), signal }: CallOptions = {},
  ): Exchange<Out, In> {
    if (this.#session.destroyed || this.#session.closed) throw gone()
    const stream = this.#session.request(
      {
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headersOf(metadata),
      },
      { endStream: false, ...(signal === undefined ? {} : { signal }) },
    )
    const outcome = outcomeOf(stream)
    return {
      send: (value) => sendOn(stream, frameOf(request.encode(value))),
      end: () => void stream.end(),
      answers: answersOn(stream, response, outcome),
      [Symbol.dispose]: () => {
        if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL)
      },
    }
  }

  [Symbol.dispose](): void {
    endSession(this.#session)
  }
}

async function sendOn(stream: ClientHttp2Stream, frame: Buffer): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return
  if (stream.write(frame)) return
  await Promise.race([once(stream, 'drain'), once(stream, 'close')])
}

async function* answersOn<In>(
  stream: ClientHttp2Stream,
  response: Message<In>,
  outcome: Promise<RpcStatus>,
): AsyncGenerator<In> {
  try {
    for await (const frame of framesIn(stream)) yield response.decode(frame)
  } catch (error) {
    // A stream that breaks says less than the reason for it, if there is one.
    const status = await outcome
    throw status.code === 0 || status.code === BROKEN.code ? error : errorOf(status)
  }
  const status = await outcome
  if (status.code !== 0) throw errorOf(status)
}

const BROKEN: RpcStatus = { code: 14, message: 'the client has closed its session', details: [] }

/** What a call ends with. */
async function outcomeOf(stream: ClientHttp2Stream): Promise<RpcStatus> {
  const { promise, resolve } = Promise.withResolvers<RpcStatus>()
  const look = (headers: IncomingHttpHeaders): void => {
    const status = statusIn(headers)
    if (status !== undefined) resolve(status)
  }
  stream.once('response', look)
  stream.once('trailers', look)
  stream.on('error', () => resolve(BROKEN))
  stream.once('close', () => resolve(BROKEN))
  return promise
}

function statusIn(headers: IncomingHttpHeaders): RpcStatus | undefined {
  const code = headers['grpc-status']
  if (code === undefined) {
    const http = String(headers[':status'] ?? 200)
    return http === '200' ? undefined : { code: 2, message: `unexpected HTTP status ${http}`, details: [] }
  }
  const details = headers['grpc-status-details-bin']
  if (typeof details === 'string' && code !== '0') return RpcStatus.decode(Buffer.from(details, 'base64'))
  const text = headers['grpc-message']
  return { code: Number(code), message: percentDecoded(String(text ?? '')), details: [] }
}

function gone(): EngineError {
  return new EngineError('unavailable', BROKEN.message, { code: 'BUILD_SESSION_CLOSED' })
}
