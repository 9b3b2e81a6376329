import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { EngineError, isKind } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { AccessControl } from '../access.ts'
import { forwardedOrigin } from '../access/forwarded.ts'
import { readBody } from './body.ts'
import { failureOf } from './errors.ts'
import type { Reply } from './reply.ts'
import type { Method, RegistryRequest } from './route.ts'
import type { Match, Router } from './router.ts'
import { writeReply } from './write-reply.ts'

/** A request that has been answered, for metrics and the access log. */
export interface AnsweredRequest {
  readonly route: string
  readonly method: string
  readonly path: string
  readonly status: number
  /** Bytes of the body that were read. */
  readonly received: number
  /** Bytes on the connection. */
  readonly sent: number
  readonly milliseconds: number
  readonly account: string
  readonly remoteAddress: string
  readonly userAgent: string
  /** Code of the error that was answered. */
  readonly error?: string | undefined
}

export interface EdgeDeps {
  readonly router: Router
  readonly access: AccessControl
  readonly logger: Logger
  /** See Hooks. */
  readonly repositoryOf: (repository: string, query: URLSearchParams) => string
  /** Milliseconds that a client may neither send nor take a byte. */
  readonly stall: number
  /** Aborted when everything has to stop. */
  readonly closed: AbortSignal
  readonly answered: (request: AnsweredRequest) => void
}

/** Bytes of a body nobody wants that are taken anyway, so that its sender gets to read the answer. */
const DRAIN = 64 << 20

const fixedHeaders = {
  'Docker-Distribution-Api-Version': 'registry/2.0',
  'X-Content-Type-Options': 'nosniff',
}

/** One request from its head to the last byte of its answer. Never rejects. `waits`: for "100 Continue". */
export async function serve(
  deps: EdgeDeps,
  request: IncomingMessage,
  response: ServerResponse,
  waits: boolean,
): Promise<void> {
  const exchange = new Exchange(deps, request, response, waits)
  await exchange.run()
}

class Exchange {
  readonly #deps: EdgeDeps
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #started = performance.now()
  /** Written on the connection before. */
  readonly #sentBefore: number
  #received = 0
  readonly #aborted = new AbortController()
  readonly #path: string
  readonly #query: URLSearchParams
  #waits: boolean
  #route = 'none'
  #account = ''
  #error: string | undefined

  constructor(deps: EdgeDeps, request: IncomingMessage, response: ServerResponse, waits: boolean) {
    this.#deps = deps
    this.#request = request
    this.#response = response
    this.#waits = waits
    this.#sentBefore = request.socket.bytesWritten
    const { path, query } = targetOf(request.url ?? '/')
    this.#path = path
    this.#query = query
  }

  async run(): Promise<void> {
    const { closed } = this.#deps
    for (const [name, value] of Object.entries(fixedHeaders)) this.#response.setHeader(name, value)
    const onClosed = (): void => this.#aborted.abort(cancelled('the registry is shutting down'))
    const onClose = (): void => {
      if (!this.#response.writableFinished) this.#aborted.abort(cancelled('the client has left'))
    }
    closed.addEventListener('abort', onClosed, { once: true })
    this.#response.once('close', onClose)
    try {
      await this.#answer()
    } finally {
      closed.removeEventListener('abort', onClosed)
    }
    this.#report()
  }

  async #answer(): Promise<void> {
    try {
      const reply = await this.#produce()
      await this.#write(reply)
    } catch (error) {
      await this.#fail(this.#request.socket.destroyed ? cancelled('the client has left', error) : error)
    }
  }

  async #fail(error: unknown): Promise<void> {
    const failure = failureOf(error)
    this.#error = failure.code
    this.#log(failure.status, error)
    if (this.#response.headersSent || this.#response.destroyed || isKind(error, 'cancelled')) {
      // After the head the only way left to say "this is not all" is to cut the connection.
      this.#response.destroy()
      return
    }
    await this.#write(failure.reply).catch(() => this.#response.destroy())
  }

  async #produce(): Promise<Reply> {
    const { router, access } = this.#deps
    const match = this.#named(router.match(this.#request.method ?? 'GET', this.#path))
    this.#route = match.route.operation
    const { resource } = match.route
    const facts = this.#facts()
    const caller =
      resource === 'open'
        ? { name: 'anonymous' }
        : await access.authorize(
            { authorization: this.#request.headers.authorization, ...facts },
            resource(match.params),
          )
    this.#account = caller.name
    return match.route.handle({ ...this.#registryRequest(match), ...facts, caller })
  }

  /** With the repository by the name it has here. */
  #named({ route, params }: Match): Match {
    const { name } = params
    if (name === undefined) return { route, params }
    return { route, params: { ...params, name: this.#deps.repositoryOf(name, this.#query) } }
  }

  #facts(): Pick<RegistryRequest, 'host' | 'secure' | 'remoteAddress' | 'userAgent'> {
    const { headers, socket } = this.#request
    const connection = {
      secure: (socket as Partial<TLSSocket>).encrypted === true,
      remoteAddress: socket.remoteAddress ?? '',
    }
    return {
      host: headers.host ?? '',
      ...forwardedOrigin(headers, connection),
      userAgent: headers['user-agent'] ?? '',
    }
  }

  #registryRequest({
    params,
  }: Match): Pick<
    RegistryRequest,
    'method' | 'params' | 'query' | 'headers' | 'body' | 'abandon' | 'signal'
  > {
    return {
      method: (this.#request.method ?? 'GET') as Method,
      params,
      query: this.#query,
      headers: this.#request.headers,
      body: this.#body(),
      abandon: () => this.#request.destroy(),
      signal: this.#aborted.signal,
    }
  }

  async *#body(): AsyncGenerator<Uint8Array> {
    const { socket } = this.#request
    // Only while it is the client's turn: hashing and syncing may take longer.
    socket.setTimeout(this.#deps.stall)
    try {
      for await (const chunk of readBody(this.#request, () => this.#continue())) {
        this.#received += chunk.length
        yield chunk
      }
    } finally {
      socket.setTimeout(0)
    }
  }

  #continue(): void {
    if (this.#waits) this.#response.writeContinue()
    this.#waits = false
  }

  async #write(reply: Reply): Promise<void> {
    const { socket } = this.#request
    socket.setTimeout(this.#deps.stall)
    // Nobody can know whether a body follows that was not asked for.
    if (this.#waits) this.#response.setHeader('Connection', 'close')
    const writing = writeReply(await this.#withoutBody(reply), this.#response)
    this.#drain()
    await writing
  }

  async #withoutBody(reply: Reply): Promise<Reply> {
    if (this.#request.method !== 'HEAD' || reply.kind !== 'stream') return reply
    const { status, contentType, size, headers } = reply
    const length = size === undefined ? {} : { 'Content-Length': String(size) }
    await release(reply.chunks)
    return { kind: 'empty', status, headers: { ...headers, 'Content-Type': contentType, ...length } }
  }

  #drain(): void {
    if (this.#request.complete || this.#request.destroyed) return
    let left = DRAIN
    this.#request.on('data', (chunk: Uint8Array) => {
      left -= chunk.length
      if (left < 0) this.#request.destroy()
    })
    this.#request.on('error', () => undefined)
    this.#request.resume()
  }

  /** What the client did wrong is for the client; what we did wrong is for the operator. */
  #log(status: number, error: unknown): void {
    const fields = { method: this.#request.method, path: this.#path, status, error }
    if (status >= 500) this.#deps.logger.error('request failed', fields)
    else this.#deps.logger.debug('request refused', fields)
  }

  #report(): void {
    const { socket, method = '' } = this.#request
    const { remoteAddress, userAgent } = this.#facts()
    this.#deps.answered({
      route: this.#route,
      method,
      path: this.#path,
      status: this.#response.statusCode,
      received: this.#received,
      sent: socket.bytesWritten - this.#sentBefore,
      milliseconds: performance.now() - this.#started,
      account: this.#account,
      remoteAddress,
      userAgent,
      error: this.#error,
    })
  }
}

/** Ends what nobody reads: an iterator that has not begun would leave its file open. */
async function release(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _first of chunks) return
}

/** Path (not decoded) and query of a request's target, which proxies may send as a whole URL. */
function targetOf(target: string): { readonly path: string; readonly query: URLSearchParams } {
  const start = target.startsWith('/') ? 0 : Math.max(target.indexOf('/', target.indexOf('://') + 3), 0)
  const [path = '/', ...rest] = target.slice(start).split('?')
  return { path, query: new URLSearchParams(rest.join('?')) }
}

function cancelled(message: string, cause?: unknown): EngineError {
  return new EngineError('cancelled', message, { code: 'REGISTRY_REQUEST_CANCELLED', cause })
}
