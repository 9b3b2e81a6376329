import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jsonLogger } from '#base/logger.ts'
import { createServer, type ApiServer, type ServerOptions } from '#server/server.ts'
import { FakeEngine } from './fake-engine.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The parsed body; undefined when there is none. */
  readonly json: unknown
}

export interface CallOptions {
  readonly body?: unknown
  readonly raw?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** Another listener than the usual one. */
  readonly socketPath?: string
}

/** A server on a unix socket of its own, in front of a fake engine. */
export class ApiFixture implements AsyncDisposable {
  readonly engine = new FakeEngine()
  /** The log, one record per line. */
  readonly log: Record<string, unknown>[] = []
  readonly server: ApiServer
  readonly #directory: string

  constructor(directory: string, options: ServerOptions) {
    this.#directory = directory
    const write = (line: string): void => void this.log.push(JSON.parse(line) as Record<string, unknown>)
    this.server = createServer({
      engine: this.engine,
      logger: jsonLogger(write, 'debug'),
      info: { version: '0.1.0', experimental: false },
      options,
    })
  }

  static async start(options: ServerOptions = {}): Promise<ApiFixture> {
    const directory = await mkdtemp(join(tmpdir(), 'berth-api-'))
    const fixture = new ApiFixture(directory, options)
    await fixture.server.listen({ kind: 'unix', path: fixture.path })
    return fixture
  }

  get path(): string {
    return join(this.#directory, 's')
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const response = await this.open(method, path, options)
    const text = (await Array.fromAsync(response.setEncoding('utf8'))).join('')
    const isJson = response.headers['content-type'] === 'application/json' && text !== ''
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      json: isJson ? tryJson(text) : undefined,
    }
  }

  /** The response as soon as its head is there. */
  async open(method: string, path: string, options: CallOptions = {}): Promise<IncomingMessage> {
    const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body))
    const type = options.body === undefined ? {} : { 'Content-Type': 'application/json' }
    const headers = { Host: 'docker', ...type, ...options.headers }
    const { socketPath = this.path } = options
    const request = httpRequest({ socketPath, method, path, headers, agent: false })
    request.end(body)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return response
  }

  /** A bare connection; the caller says every byte. */
  async dial(text = ''): Promise<Client> {
    const socket = connect({ path: this.path, allowHalfOpen: true })
    await once(socket, 'connect')
    const client = new Client(socket)
    if (text !== '') socket.write(text)
    return client
  }

  /** A container of that name with that command; started unless told otherwise. */
  async container(
    name: string,
    cmd: readonly string[],
    options: { readonly tty?: boolean; readonly start?: boolean } = {},
  ): Promise<string> {
    const { Id } = await this.engine.lifecycle.create(
      { Image: 'demo', Cmd: [...cmd], Tty: options.tty === true },
      { name },
    )
    if (options.start !== false) await this.engine.lifecycle.start(name)
    return Id
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close()
    await rm(this.#directory, { recursive: true })
  }
}

/** What came over a connection so far. */
export class Client implements Disposable {
  readonly socket: Socket
  #received = Buffer.alloc(0)
  #ended = false
  #wake = Promise.withResolvers<void>()

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#notify()
    })
    socket.on('end', () => this.#end())
    socket.on('close', () => this.#end())
    socket.on('error', () => this.#end())
  }

  get text(): string {
    return this.#received.toString('latin1')
  }

  get bytes(): Buffer {
    return this.#received
  }

  /** Waits until that text has come; rejects when the connection ends without it. */
  async until(text: string): Promise<string> {
    while (!this.text.includes(text)) {
      if (this.#ended) throw new Error(`connection ended before ${JSON.stringify(text)}: ${this.text}`)
      await this.#wake.promise
    }
    return this.text
  }

  /** Everything until the server closes its side. */
  async ended(): Promise<string> {
    while (!this.#ended) await this.#wake.promise
    return this.text
  }

  #end(): void {
    this.#ended = true
    this.#notify()
  }

  #notify(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // several documents: the test looks at the text
  }
}
