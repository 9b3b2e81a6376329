/**
 * The HTTP edge. A request passes, in this order: first bytes inspected (front.ts), target made canonical
 * (target.ts), guard (guard.ts), route found (router.ts), version agreed, body decoded and lifted, route,
 * reply lowered and written (exchange.ts). Connections that are taken over leave the path before Fastify and
 * join it again in exchange.ts.
 */
import { createServer as createHttp, ServerResponse, type IncomingMessage, type Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { Server as TlsServer } from 'node:tls'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { newestVersion } from '#api/version.ts'
import type { Logger } from '#base/logger.ts'
import type { Engine } from '#engine/services.ts'
import { Connections } from './connections.ts'
import { destroySoon } from './destroy-soon.ts'
import { answerNowhere, refuse, serve, type Exchange, type ExchangeContext } from './exchange.ts'
import { implicitUpgrade, inspectFirstRequest } from './front.ts'
import { guard, guardRules, type GuardRules } from './guard.ts'
import { listen, type Address, type Bound } from './listen.ts'
import type { Recorder } from './recording.ts'
import { createRouter, takeOverMatcher, type Matched } from './router.ts'
import { allRoutes } from './routes/routes.ts'
import type { ServerInfo } from './server-info.ts'
import { parseTarget, type Target } from './target.ts'

/** Mutual TLS: a client needs a certificate from `ca`, and no other authority counts. PEM. */
export interface TlsOptions {
  readonly ca: string | Buffer
  readonly cert: string | Buffer
  readonly key: string | Buffer
}

export interface ListenOptions {
  readonly tls?: TlsOptions | undefined
  /** More names under which a plain TCP listener may be addressed. */
  readonly allowedHosts?: readonly string[] | undefined
  /** Only what changes nothing is served, without the values of variables (read-only.ts). */
  readonly readOnly?: boolean | undefined
}

export interface ServerOptions {
  /** For a request's head to arrive, in milliseconds. Bodies and responses may take for ever. */
  readonly headersTimeout?: number
  /** How long an idle connection is kept, in milliseconds. */
  readonly keepAliveTimeout?: number
  /** How long close() waits for running requests, in milliseconds. */
  readonly closeTimeout?: number
}

export interface ApiServer extends AsyncDisposable {
  /**
   * Starts to serve an address.
   * @throws EngineError conflict when it is taken, invalid_argument when it would be open to the network
   */
  listen(address: Address, options?: ListenOptions): Promise<string>
  /** Connections that are open, and exchanges that are not over. */
  readonly counts: { readonly open: number; readonly running: number }
  /** For connections that are made from now on, on every listener that has TLS. */
  renewTls(tls: TlsOptions): void
  /** Takes no more requests, ends streams, waits for the rest until the deadline and then cuts them. */
  close(): Promise<void>
}

export interface ServerDeps {
  readonly engine: Engine
  readonly logger: Logger
  readonly info: ServerInfo
  readonly options?: ServerOptions
  /** Writes down who asked for what; undefined: nobody does. */
  readonly recorder?: Recorder | undefined
}

const MAX_HEAD_SIZE = 64 * 1024
const defaults = { headersTimeout: 30_000, keepAliveTimeout: 300_000, closeTimeout: 10_000 }

/** What a listener lets in. */
interface Door {
  rules: GuardRules
  readonly readOnly: boolean
}

type Admitted = Pick<Exchange, 'target' | 'readOnly'>

type Listening = { readonly server: Server; readonly bound: Bound }

/** Serves Docker's HTTP API from `engine`; nothing is listened on yet. */
export function createServer({ engine, logger, info, options = {}, recorder }: ServerDeps): ApiServer {
  const settings = { ...defaults, ...options }
  const closing = new AbortController()
  const closed = new AbortController()
  const context: ExchangeContext = {
    logger,
    headers: commonHeaders(info),
    closing: closing.signal,
    closed: closed.signal,
    recorder,
  }
  const edge = new Edge(context, engine, info)
  const listening: Listening[] = []

  const close = async (): Promise<void> => {
    closing.abort()
    const stopped = listening.splice(0).map(async ({ server, bound }) => {
      await bound.release()
      await stop(server)
    })
    await edge.connections.drain(settings.closeTimeout)
    closed.abort()
    edge.connections.destroyAll()
    await Promise.all(stopped)
  }

  return {
    async listen(address, listenOptions = {}) {
      await edge.ready()
      const door: Door = {
        rules: guardRules(address, listenOptions),
        readOnly: listenOptions.readOnly === true,
      }
      const server = edge.httpServer(door, settings, listenOptions.tls)
      const bound = await listen(server, address)
      try {
        // What was passed in may be anything; nobody has been let in before this.
        if (address.kind === 'fd') door.rules = guardRules(passedAddress(server, address), listenOptions)
      } catch (error) {
        server.close()
        throw error
      }
      listening.push({ server, bound })
      logger.info('listening', { address: bound.address })
      return bound.address
    },
    get counts() {
      return edge.connections.counts
    },
    renewTls(tls) {
      for (const { server } of listening) if (server instanceof TlsServer) server.setSecureContext(tls)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** What all listeners share: routes, and the connections that are open. */
class Edge {
  readonly connections = new Connections()
  readonly #context: ExchangeContext
  readonly #router: ReturnType<typeof createRouter>
  readonly #takeOver: ReturnType<typeof takeOverMatcher>
  readonly #admitted = new WeakMap<IncomingMessage, Admitted>()

  constructor(context: ExchangeContext, engine: Engine, info: ServerInfo) {
    const routes = allRoutes(engine, info, context.logger)
    this.#context = context
    this.#takeOver = takeOverMatcher(routes)
    this.#router = createRouter(routes, (request, response, matched) =>
      this.#run({ request, response, ...this.#admittedAs(request) }, matched),
    )
  }

  /** Routes work from here on. */
  async ready(): Promise<void> {
    await this.#router.ready()
  }

  httpServer(door: Door, settings: typeof defaults, tls: TlsOptions | undefined): Server {
    const http = {
      maxHeaderSize: MAX_HEAD_SIZE,
      requestTimeout: 0,
      headersTimeout: settings.headersTimeout,
      keepAliveTimeout: settings.keepAliveTimeout,
      connectionsCheckingInterval: Math.min(settings.headersTimeout, 5_000),
      shouldUpgradeCallback: (request: IncomingMessage) => this.#mayTakeOver(request),
    }
    // A client that has sent all of its input goes on reading, as without TLS.
    const mutual = {
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      allowHalfOpen: true,
    } as const
    const server: Server = tls === undefined ? createHttp(http) : createHttps({ ...http, ...tls, ...mutual })
    // The size of the head is the limit; a second one that drops headers silently would hide some of them.
    server.maxHeadersCount = 0
    server.timeout = 0
    const event = tls === undefined ? 'connection' : 'secureConnection'
    server.on('request', (request, response) => this.#onRequest(door, request, response))
    server.on('upgrade', (request, socket, head) => this.#onUpgrade(door, request, socket, head))
    server.on('clientError', (error, socket) => this.#onClientError(error, socket))
    inspectFirstRequest(server, event, {
      takesOver: (url) => this.#takeOverOf('POST', url) !== undefined,
      headTimeout: settings.headersTimeout,
      maxHeadSize: MAX_HEAD_SIZE,
    })
    server.on(event, (socket: Socket) => this.connections.add(socket))
    return server
  }

  #onRequest(door: Door, request: IncomingMessage, response: ServerResponse): void {
    const target = this.#admit(door, request, response)
    if (target === undefined) return
    this.#admitted.set(request, { target, readOnly: door.readOnly })
    request.url = target.path
    this.#router.routing(request, response)
  }

  #onUpgrade(door: Door, request: IncomingMessage, duplex: Duplex, head: Uint8Array): void {
    // Without a listener an error on a connection that the parser has let go would end the process.
    duplex.on('error', () => duplex.destroy())
    // Sent without waiting for the answer before it, which has no place any more: what follows would be raw bytes.
    if (answersEarlier(duplex)) {
      duplex.destroy()
      return
    }
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    // Not always a socket: see destroySoon(). A response needs no more than a Duplex has.
    response.assignSocket(duplex as Socket)
    response.once('finish', () => destroySoon(duplex))
    const target = this.#admit(door, request, response)
    if (target === undefined) return
    const switching = request.headers.upgrade !== implicitUpgrade
    this.#run(
      { request, response, target, readOnly: door.readOnly, takeOver: { head, switching } },
      this.#takeOver(request.method, target.path),
    )
  }

  /** The canonical target of an acceptable request; undefined when it has been refused. */
  #admit({ rules }: Door, request: IncomingMessage, response: ServerResponse): Target | undefined {
    try {
      const target = parseTarget(request.url ?? '/')
      guard(request.headers, target.authority, rules)
      return target
    } catch (error) {
      this.connections.track(
        refuse(this.#context, { request, response, target: noTarget, readOnly: false }, error),
      )
      return undefined
    }
  }

  #run(exchange: Exchange, matched: Matched | undefined): void {
    if (matched === undefined) this.connections.track(answerNowhere(this.#context, exchange))
    else this.connections.track(serve(this.#context, exchange, matched))
  }

  #admittedAs(request: IncomingMessage): Admitted {
    return this.#admitted.get(request) ?? { target: noTarget, readOnly: false }
  }

  #mayTakeOver(request: IncomingMessage): boolean {
    return this.#takeOverOf(request.method, request.url ?? '') !== undefined
  }

  #takeOverOf(method: string | undefined, url: string): Matched | undefined {
    try {
      return this.#takeOver(method, parseTarget(url).path)
    } catch {
      return undefined // it is refused where it is answered
    }
  }

  /** What the parser could not read gets an answer in the same shape as any other. */
  #onClientError(error: Error & { readonly code?: string }, socket: Duplex): void {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const [status, message] = clientErrors[error.code ?? ''] ?? ['400 Bad Request', 'malformed HTTP request']
    const body = `${JSON.stringify({ message })}\n`
    const headers = Object.entries(this.#context.headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.end(
      `HTTP/1.1 ${status}\r\n${headers.join('')}Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    )
  }
}

const noTarget: Target = { version: undefined, path: '', query: '', authority: undefined }

const clientErrors: Readonly<Record<string, readonly [status: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    `request head larger than ${MAX_HEAD_SIZE} bytes`,
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request head did not arrive in time'],
}

function commonHeaders({ version, experimental }: ServerInfo): Readonly<Record<string, string>> {
  return {
    Server: `Docker/${version} (linux)`,
    'Api-Version': newestVersion,
    Ostype: 'linux',
    'Docker-Experimental': String(experimental),
  }
}

/** A descriptor that was passed in, as the address that it listens on. */
function passedAddress(server: Server, address: Address): Address {
  const bound = server.address()
  if (typeof bound !== 'object' || bound === null) return address
  return { kind: 'tcp', host: bound.address, port: bound.port }
}

/** True while an answer to an earlier request on that connection is still to come. */
function answersEarlier(duplex: Duplex): boolean {
  const { _httpMessage: earlier } = duplex as { readonly _httpMessage?: object | null }
  return earlier !== undefined && earlier !== null
}

async function stop(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  await promise
}
