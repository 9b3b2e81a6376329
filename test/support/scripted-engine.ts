import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'

export interface Asked {
  readonly method: string
  /** Without the version and the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly bytes: Buffer
}

/** A document is sent as JSON, an array of lines under `stream` one by one; with `hold`, the stream does not end. */
export interface ScriptedAnswer {
  readonly status?: number
  readonly json?: unknown
  readonly stream?: readonly object[]
  readonly bytes?: Uint8Array
  readonly hold?: boolean
  /** The connection is cut after the lines. */
  readonly cut?: boolean
}

/** An engine that answers as a test says, and remembers what it was asked. */
export class ScriptedEngine implements AsyncDisposable {
  readonly asked: Asked[] = []
  /** Answers by `METHOD /path`, or by that without its method. */
  readonly answers: Record<string, ScriptedAnswer | ((asked: Asked) => ScriptedAnswer)>
  readonly #directory: string
  readonly #server: Server

  private constructor(directory: string, answers: ScriptedEngine['answers']) {
    this.#directory = directory
    this.answers = answers
    this.#server = createServer((request, response) => {
      void buffer(request).then((bytes) => {
        const url = new URL(request.url ?? '/', 'http://engine')
        const path = decodeURIComponent(url.pathname.replace(/^\/v[\d.]+/, ''))
        const { method = '', headers } = request
        this.#answer({ method, path, query: url.searchParams, headers, body: String(bytes), bytes }, response)
      })
    })
  }

  static async start(answers: ScriptedEngine['answers'] = {}): Promise<ScriptedEngine> {
    const directory = await mkdtemp(join(tmpdir(), 'berth-scripted-'))
    const engine = new ScriptedEngine(directory, answers)
    engine.#server.listen(join(directory, 's'))
    await once(engine.#server, 'listening')
    return engine
  }

  get host(): string {
    return `unix://${join(this.#directory, 's')}`
  }

  /** What was asked, but for pings. */
  get requests(): Asked[] {
    return this.asked.filter(({ path }) => path !== '/_ping')
  }

  #answer(asked: Asked, response: ServerResponse): void {
    this.asked.push(asked)
    response.setHeader('Api-Version', '1.55')
    if (asked.path === '/_ping') {
      response.end()
      return
    }
    const found = this.answers[`${asked.method} ${asked.path}`] ?? this.answers[asked.path]
    const answer = typeof found === 'function' ? found(asked) : found
    const {
      status = 200,
      json,
      stream,
      bytes,
      hold,
      cut,
    } = answer ?? {
      status: 404,
      json: { message: `no answer for ${asked.method} ${asked.path}` },
    }
    response.statusCode = status
    if (stream === undefined) {
      response.end(bytes ?? (json === undefined ? undefined : JSON.stringify(json)))
      return
    }
    for (const line of stream) response.write(`${JSON.stringify(line)}\r\n`)
    if (cut === true) response.write('\r\n', () => response.socket?.destroySoon())
    else if (hold !== true) response.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await rm(this.#directory, { recursive: true })
  }
}
