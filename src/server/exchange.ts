import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { EngineError, engineErrorOf, isKind, messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { abortable } from '#base/mutex.ts'
import type { Answered } from '#engine/requests/request-journal.ts'
import { isBefore, newestVersion, oldestVersion, parseVersion, type ApiVersion } from '#api/version.ts'
import { httpStatus } from './http-status.ts'
import { Query } from './query.ts'
import { empty, type Reply } from './reply.ts'
import { checkReadOnly, withoutValues } from './read-only.ts'
import { type Recorder, outcomeOf, recordArrival } from './recording.ts'
import { readDocument } from './request-body.ts'
import type { Route, RouteRequest } from './route.ts'
import type { Params } from './path-pattern.ts'
import type { Target } from './target.ts'
import { liftDocument, liftQuery, lowerReply } from './versions/versions.ts'
import { writeReply, writeSwitch, writeTakeOver, writeWebSocket } from './write-reply.ts'

/** What all exchanges of one server share. */
export interface ExchangeContext {
  readonly logger: Logger
  /** On every response. */
  readonly headers: Readonly<Record<string, string>>
  /** Aborted when endless responses have to stop. */
  readonly closing: AbortSignal
  /** Aborted when everything has to stop. */
  readonly closed: AbortSignal
  readonly recorder: Recorder | undefined
}

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly target: Target
  /** It came where nothing may be changed. */
  readonly readOnly: boolean
  /** For a connection that may be taken over: the bytes after the head, and whether to answer 101. */
  readonly takeOver?: { readonly head: Uint8Array; readonly switching: boolean }
}

/** One request from its head to the last byte of its answer. Never rejects. */
export async function serve(
  context: ExchangeContext,
  exchange: Exchange,
  matched: { readonly route: Route; readonly params: Params },
): Promise<void> {
  const { response, target, readOnly, takeOver } = exchange
  const { route, params } = matched
  const { socket } = exchange.request
  const answered = recordArrival(context.recorder, route, params, { path: target.path, socket })
  await answer(
    context,
    exchange,
    route.operation,
    noting(answered, target, async (signal) => {
      const version = agreedVersion(target.version)
      const request = routeRequest(exchange, { version, params, signal, operation: route.operation })
      if (readOnly) checkReadOnly(route)
      const handled = await route.handle(request)
      const shown = readOnly ? withoutValues(route, handled) : handled
      const reply = lowerReply(route.operation, shown, version)
      if (reply.kind === 'upgrade' && takeOver !== undefined) {
        void answered?.({ status: 200 })
        await writeTakeOver(reply, response, takeOver.head, { switching: takeOver.switching, signal })
        return undefined
      }
      if (reply.kind === 'websocket' && takeOver?.switching === true) {
        void answered?.({ status: 200 })
        await writeWebSocket(reply, response, takeOver.head, signal)
        return undefined
      }
      if (reply.kind === 'protocol' && takeOver?.switching === true) {
        await writeSwitch(reply, response, takeOver.head, signal)
        return undefined
      }
      return reply
    }),
    route.endless === true ? context.closing : context.closed,
  )
}

/** `produce`, written down: before the answer goes out, since who gets it may hang up. */
function noting(
  answered: Answered | undefined,
  target: Target,
  produce: (signal: AbortSignal) => Promise<Reply | undefined>,
): typeof produce {
  if (answered === undefined) return produce
  return async (signal) => {
    try {
      const reply = await produce(signal)
      if (reply !== undefined) await answered(outcomeOf(reply))
      return reply
    } catch (error) {
      await answered({ status: statusToSend(error, target) })
      throw error
    }
  }
}

/** Answers with a failure alone, where no route is in play. Never rejects. */
export async function refuse(context: ExchangeContext, exchange: Exchange, error: unknown): Promise<void> {
  await answer(context, exchange, undefined, () => Promise.reject(error), context.closed)
}

/** Answers where no route is. A path with doubled slashes, as of a name that begins with one, is that without them. */
export async function answerNowhere(context: ExchangeContext, exchange: Exchange): Promise<void> {
  const { version, path, query } = exchange.target
  if (!path.includes('//')) return refuse(context, exchange, pageNotFound())
  const prefix = version === undefined ? '' : `/v${version}`
  const Location = `${prefix}${path.replaceAll(/\/{2,}/g, '/')}${query === '' ? '' : `?${query}`}`
  const reply = empty(301, { Location })
  await answer(context, exchange, undefined, () => Promise.resolve(reply), context.closed)
}

function pageNotFound(): EngineError {
  return new EngineError('not_found', 'page not found', { code: 'PAGE_NOT_FOUND' })
}

async function answer(
  context: ExchangeContext,
  exchange: Exchange,
  operation: string | undefined,
  produce: (signal: AbortSignal) => Promise<Reply | undefined>,
  stop: AbortSignal,
): Promise<void> {
  const { request, response, target } = exchange
  const started = performance.now()
  const log = context.logger.child({ method: request.method, path: target.path, operation })
  for (const [name, value] of Object.entries(context.headers)) response.setHeader(name, value)

  using hangUp = hangUpSignal(request.socket, response, stop)
  const { signal } = hangUp
  const onLateFailure = (error: unknown): void => logFailure(log, error)
  try {
    const reply = await produce(signal)
    if (reply !== undefined) await writeReply(reply, response, { signal, onLateFailure })
  } catch (error) {
    if (!signal.aborted) logFailure(log, error)
    await writeFailure(response, error, target, { signal, onLateFailure })
  }
  const ms = Math.round(performance.now() - started)
  log.debug('answered', { status: response.statusCode, ms })
}

/** Aborts when the client leaves before its answer is complete, or when `stop` does. */
function hangUpSignal(
  socket: Socket,
  response: ServerResponse,
  stop: AbortSignal,
): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  const onClose = (): void => {
    if (!response.writableFinished) controller.abort(cancelled('the client closed the connection'))
  }
  const onStop = (): void => controller.abort(cancelled('the engine is shutting down'))
  response.once('close', onClose)
  // An answer that waits for the one before it is not told that the connection has closed.
  socket.once('close', onClose)
  if (socket.destroyed) onClose()
  stop.addEventListener('abort', onStop, { once: true })
  if (stop.aborted) onStop()
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      response.off('close', onClose)
      socket.off('close', onClose)
      stop.removeEventListener('abort', onStop)
    },
  }
}

function cancelled(message: string): EngineError {
  return new EngineError('cancelled', message, { code: 'REQUEST_CANCELLED' })
}

/** What the client did wrong is for the client; what we did wrong is for the operator. */
function logFailure(log: Logger, error: unknown): void {
  const status = statusOf(error)
  if (status === 500) log.error('request failed', { status, error })
  else log.debug('request refused', { status, error })
}

function statusOf(error: unknown): number {
  return httpStatus[engineErrorOf(error)?.kind ?? 'internal']
}

/**
 * A client of Docker's that is told 401 asks for a password and tries again; where nobody types it waits for ever. So it
 * is sent where Docker's description has it, and elsewhere what dockerd sends for any failure of a registry.
 */
function statusToSend(error: unknown, { path }: Target): number {
  const status = statusOf(error)
  return status === 401 && path !== '/auth' && !path.startsWith('/distribution/') ? 500 : status
}

async function writeFailure(
  response: ServerResponse,
  error: unknown,
  target: Target,
  options: Parameters<typeof writeReply>[2],
): Promise<void> {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const status = statusToSend(error, target)
  const message = engineErrorOf(error)?.message ?? messageOf(error)
  // Clients of that age read errors as plain text.
  const plain = isKind(error, 'invalid_argument') && isAncient(target.version)
  const body: Reply = plain
    ? { kind: 'text', status, body: `${message}\n` }
    : { kind: 'json', status, body: { message } }
  await writeReply(body, response, options)
}

function isAncient(prefix: string | undefined): boolean {
  const version = prefix === undefined ? undefined : parseVersion(prefix)
  return version !== undefined && isBefore(version, oldestVersion)
}

/** The version a request is spoken in: its prefix, or the newest. */
function agreedVersion(prefix: string | undefined): ApiVersion {
  if (prefix === undefined) return newestVersion
  const version = parseVersion(prefix)
  if (version === undefined) throw pageNotFound()
  if (isBefore(version, oldestVersion)) {
    throw new EngineError(
      'invalid_argument',
      `client version ${prefix} is too old. Minimum supported API version is ${oldestVersion}, please upgrade your client to a newer version`,
      { code: 'API_VERSION_TOO_OLD' },
    )
  }
  if (isBefore(newestVersion, version)) {
    throw new EngineError(
      'invalid_argument',
      `client version ${prefix} is too new. Maximum supported API version is ${newestVersion}`,
      { code: 'API_VERSION_TOO_NEW' },
    )
  }
  return version
}

function routeRequest(
  { request, target }: Exchange,
  known: {
    readonly version: ApiVersion
    readonly params: Params
    readonly signal: AbortSignal
    readonly operation: string
  },
): RouteRequest {
  const { version, params, signal, operation } = known
  const query = liftQuery(operation, new URLSearchParams(target.query), version)
  return {
    params,
    version,
    signal,
    query: new Query(query),
    headers: request.headers,
    body: bodyOf(request),
    document: async <T extends object>(name: Parameters<RouteRequest['document']>[0]) =>
      // The body of a request that wants to switch protocols is not cut short when the client leaves.
      liftDocument(operation, await abortable(readDocument<T>(request, name), signal), version),
  }
}

/**
 * A client that is told half-way that something is wrong is still sending: what is left of its body is read and thrown
 * away after the answer. To destroy the request would cut the connection before the client has seen the answer.
 */
async function* bodyOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    yield* request.iterator({ destroyOnReturn: false })
  } finally {
    request.resume()
  }
}
