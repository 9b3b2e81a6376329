import {
  Agent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http'
import { connect as connectSocket, type Socket } from 'node:net'
import { PassThrough, type Duplex, type Readable } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { isBefore, newestVersion, parseVersion, type ApiVersion } from '#api/version.ts'
import { EngineError } from '#base/errors.ts'
import { addressOf, type Endpoint, type SshEndpoint, type TlsMaterial } from './endpoint.ts'
import { connectionError, daemonError, isUnreachable } from './errors.ts'
import { parseJson } from './json.ts'

/** The oldest API of a server that this client can use. */
const OLDEST_SERVER: ApiVersion = '1.40'

/** Query values: `undefined` and `false` are left out, `true` is sent as 1, arrays repeat the key. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

export interface Call {
  readonly query?: Query | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent as it is; with `json` absent. */
  readonly body?: Readable | undefined
  readonly contentType?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Asks in the words of this version instead of the one agreed on. */
  readonly version?: ApiVersion | undefined
}

export interface TransportOptions {
  readonly endpoint: Endpoint
  /** Pins the API version and skips negotiation. */
  readonly apiVersion?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Gives up the calls that are under way when it aborts and have no signal of their own; those made later go on. */
  readonly interrupted?: AbortSignal | undefined
  /** Opens a connection to an `ssh` endpoint, which this library cannot do by itself. */
  readonly dial?: (() => Promise<Duplex>) | undefined
  /** Called once when nobody listens; true means that it is worth trying again. */
  readonly onUnreachable?: (() => Promise<boolean>) | undefined
}

/** What the server said about itself in the answer to a ping. */
export interface Ping {
  readonly apiVersion: ApiVersion
  readonly osType: string
  readonly experimental: boolean
  readonly server: string
}

/** A taken-over connection. Ending the stream closes only our side of it. */
export interface Hijacked {
  readonly stream: Duplex
  readonly contentType: string
}

/**
 * HTTP to one engine over a unix socket or TCP. Versions are negotiated with the first call; every error is an
 * EngineError, with the server's message when there was an answer.
 */
export class Transport implements Disposable {
  readonly endpoint: Endpoint
  readonly #options: TransportOptions
  #agent: Agent | undefined
  #ping: Promise<Ping> | undefined

  constructor(options: TransportOptions) {
    this.endpoint = options.endpoint
    this.#options = options
  }

  /** The prefix version in use. */
  async version(): Promise<string> {
    if (this.#options.apiVersion !== undefined) return this.#options.apiVersion
    const { apiVersion } = await this.ping()
    if (isBefore(apiVersion, OLDEST_SERVER)) {
      throw new EngineError(
        'not_implemented',
        `the daemon speaks API ${apiVersion}, but this client needs at least ${OLDEST_SERVER}; upgrade the daemon`,
        { code: 'API_VERSION' },
      )
    }
    return isBefore(apiVersion, newestVersion) ? apiVersion : newestVersion
  }

  /** HEAD /_ping, once; later calls return the same answer. */
  ping(): Promise<Ping> {
    this.#ping ??= this.#firstPing()
    return this.#ping
  }

  /** The response of a call that succeeded, body unread. Rejects for every status from 400 on. */
  async open(method: string, path: string, call: Call = {}): Promise<IncomingMessage> {
    const version = call.version ?? (await this.version())
    const response = await this.#send(method, `/v${version}${path}`, call)
    if ((response.statusCode ?? 500) < 400) return response
    throw await errorOf(response, path)
  }

  /** The JSON document a call answers with; `undefined` when it answers with nothing. */
  async json<T>(method: string, path: string, call: Call = {}): Promise<T> {
    const text = await textOf(await this.open(method, path, call))
    return (text.trim() === '' ? undefined : parseJson(text)) as T
  }

  /** A call whose answer is only its status, which is returned. */
  async status(method: string, path: string, call: Call = {}): Promise<number> {
    const response = await this.open(method, path, call)
    await textOf(response)
    return response.statusCode ?? 0
  }

  /** Takes the connection over (`Upgrade: tcp`); bytes that came with the answer are part of the stream. */
  async hijack(path: string, call: Call = {}): Promise<Hijacked> {
    const headers = { ...call.headers, Connection: 'Upgrade', Upgrade: 'tcp' }
    const request = await this.#request(
      'POST',
      `/v${await this.version()}${path}`,
      { ...call, signal: this.#signalFor(call), headers },
      true,
    )
    const { promise, resolve, reject } = Promise.withResolvers<Hijacked>()
    request.once('upgrade', (response, socket, head) => {
      if (head.length > 0) socket.unshift(head)
      resolve({ stream: socket, contentType: response.headers['content-type'] ?? '' })
    })
    request.once('response', (response) => {
      errorOf(response, path).then(reject, reject)
    })
    request.once('error', (error) => reject(connectionError(this.endpoint, error)))
    sendBody(request, call)
    return promise
  }

  /** A connection to the engine with nothing said on it yet; ending it closes only our side. */
  async connect(): Promise<Duplex> {
    const { endpoint } = this
    if (endpoint.kind === 'ssh') return this.#dial()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const socket = await this.#socket(endpoint, resolve)
    socket.once('error', reject)
    try {
      await promise
    } catch (error) {
      throw connectionError(endpoint, error)
    }
    return socket
  }

  [Symbol.dispose](): void {
    this.#agent?.destroy()
  }

  async #socket(endpoint: Exclude<Endpoint, SshEndpoint>, connected: () => void): Promise<Socket> {
    if (endpoint.kind === 'unix')
      return connectSocket({ path: endpoint.path, allowHalfOpen: true }, connected)
    const { host, port, tls } = endpoint
    if (tls === undefined) return connectSocket({ host, port, allowHalfOpen: true }, connected)
    const { connect } = await import('node:tls')
    const options: ConnectionOptions = { host, port, ...secured(tls) }
    return connect({ ...options, allowHalfOpen: true } as ConnectionOptions, connected)
  }

  async #dial(): Promise<Duplex> {
    if (this.#options.dial !== undefined) return this.#options.dial()
    throw new EngineError('invalid_argument', `${addressOf(this.endpoint)} needs a dialler`, {
      code: 'HOST_INVALID',
    })
  }

  async #firstPing(): Promise<Ping> {
    try {
      return await this.#pingOnce()
    } catch (error) {
      if (!isUnreachable(error) || !(await this.#options.onUnreachable?.())) throw error
      return this.#pingOnce()
    }
  }

  async #pingOnce(): Promise<Ping> {
    let response = await this.#send('HEAD', '/_ping', {})
    // To its end, so that the next call finds the connection free.
    await textOf(response)
    if ((response.statusCode ?? 500) >= 400) {
      response = await this.#send('GET', '/_ping', {})
      if ((response.statusCode ?? 500) >= 400) throw await errorOf(response, '/_ping')
      response.resume()
    }
    const { headers } = response
    return {
      apiVersion: parseVersion(headerText(headers['api-version'])) ?? newestVersion,
      osType: headerText(headers['ostype']) || 'linux',
      experimental: headers['docker-experimental'] === 'true',
      server: headerText(headers['server']),
    }
  }

  async #send(method: string, path: string, call: Call): Promise<IncomingMessage> {
    const signal = this.#signalFor(call)
    const request = await this.#request(method, path, { ...call, signal }, false)
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    request.once('response', resolve)
    request.on('error', (error) => {
      reject(signal?.aborted === true ? (signal.reason as Error) : connectionError(this.endpoint, error))
    })
    sendBody(request, call)
    return promise
  }

  #signalFor(call: Call): AbortSignal | undefined {
    const { interrupted } = this.#options
    return call.signal ?? (interrupted?.aborted === true ? undefined : interrupted)
  }

  async #request(method: string, path: string, call: Call, ownConnection: boolean): Promise<ClientRequest> {
    const { endpoint } = this
    const headers = { ...this.#options.headers, ...bodyHeaders(call), ...call.headers }
    const options: RequestOptions = {
      method,
      path: path + queryText(call.query),
      headers,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    }
    if (endpoint.kind === 'unix') {
      this.#agent ??= new Agent({ keepAlive: true })
      options.headers = { Host: 'api.moby.localhost', ...headers }
      const local = {
        ...options,
        socketPath: endpoint.path,
        // Otherwise the agent works it out from the Host header, by regular expressions that take 5 ms to compile.
        servername: '',
        agent: ownConnection ? false : this.#agent,
      }
      return httpRequest(local)
    }
    if (endpoint.kind === 'ssh') {
      options.headers = { Host: 'api.moby.localhost', ...headers }
      if (ownConnection) {
        const stream = await this.#dial()
        return httpRequest({ ...options, createConnection: () => stream })
      }
      this.#agent ??= new DialAgent(() => this.#dial())
      return httpRequest({ ...options, agent: this.#agent })
    }
    const target = { ...options, host: endpoint.host, port: endpoint.port }
    const { tls } = endpoint
    if (tls === undefined) {
      this.#agent ??= new Agent({ keepAlive: true })
      return httpRequest({ ...target, agent: ownConnection ? false : this.#agent })
    }
    // Loaded only here: it brings OpenSSL's half of Node along, which costs every command its start-up.
    const https = await import('node:https')
    this.#agent ??= new https.Agent({ keepAlive: true })
    return https.request({
      ...target,
      agent: ownConnection ? false : this.#agent,
      ...secured(tls),
    })
  }
}

/** Keeps connections that somebody else opens. */
class DialAgent extends Agent {
  readonly #dial: () => Promise<Duplex>

  constructor(dial: () => Promise<Duplex>) {
    super({ keepAlive: true })
    this.#dial = dial
  }

  override createConnection(
    _options: object,
    done: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#dial().then(
      (stream) => done(null, stream),
      (error: Error) => done(error, new PassThrough()),
    )
    return undefined
  }
}

function secured(tls: TlsMaterial): ConnectionOptions {
  return {
    rejectUnauthorized: tls.verify,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  }
}

/** The whole body of a response as text. */
export async function textOf(response: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function sendBody(request: ClientRequest, call: Call): void {
  if (call.body !== undefined) {
    // The server may refuse before it has read everything; its answer matters then, not our broken pipe.
    request.once('response', (response) => {
      if ((response.statusCode ?? 500) >= 400) call.body?.destroy()
    })
    call.body.once('error', (error) => request.destroy(error))
    call.body.pipe(request)
    return
  }
  request.end(call.json === undefined ? undefined : JSON.stringify(call.json))
}

function bodyHeaders(call: Call): Record<string, string | number> {
  if (call.json !== undefined) {
    return {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(JSON.stringify(call.json)),
    }
  }
  if (call.body !== undefined) return { 'Content-Type': call.contentType ?? 'application/x-tar' }
  return {}
}

async function errorOf(response: IncomingMessage, path: string): Promise<EngineError> {
  return daemonError(response.statusCode ?? 500, await textOf(response), path)
}

function queryText(query: Query = {}): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || value === false) continue
    for (const item of Array.isArray(value) ? (value as readonly string[]) : [value]) {
      params.append(key, item === true ? '1' : String(item))
    }
  }
  const text = params.toString()
  return text === '' ? '' : `?${text}`
}

function headerText(value: string | string[] | undefined): string {
  return Array.isArray(value) ? (value[0] ?? '') : (value ?? '')
}
