/**
 * One HTTP request, one answer: no redirects, no retries, no credentials. Every wait has a limit, bodies are handed on
 * in the pieces in which they come.
 */
import { once } from 'node:events'
import http, { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Clock } from '#base/clock.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import { badAnswer, closedWhileIdle, connectionError, cutShort, stalled } from './errors.ts'
import { Watchdog } from './watchdog.ts'

/** Milliseconds. */
export interface Limits {
  /** Until a connection stands, its TLS included. */
  readonly connect: number
  /** Without a byte, while an answer or its body is waited for, or bytes cannot be sent. */
  readonly stall: number
  /** Until the answer to a finished upload: the registry may move it to a far place first. */
  readonly answer: number
}

export interface HttpRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly agent: http.Agent
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined
  readonly signal?: AbortSignal | undefined
}

/** Disposing drops what has not been read. */
export interface HttpReply extends Disposable {
  readonly url: URL
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Once; leaving early closes the connection. */
  chunks(): AsyncIterable<Uint8Array>
  /** The whole body; `invalid_argument` when it is larger than `limit`, with `what` it is. */
  bytes(limit: number, what?: string): Promise<Uint8Array>
}

/** Bytes of all headers of an answer. */
const MAX_HEADERS = 64 << 10
/** So much is read to keep a connection; more is not worth it. */
const MAX_DRAIN = 64 << 10

export class Transport {
  readonly #clock: Clock
  readonly #limits: Limits

  constructor(clock: Clock, limits: Limits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** Rejects with `unavailable`, or with the reason of the signal. */
  async send(request: HttpRequest): Promise<HttpReply> {
    request.signal?.throwIfAborted()
    const exchange = new Exchange(request, this.#clock, this.#limits)
    return exchange.answer()
  }
}

class Exchange {
  readonly #request: HttpRequest
  readonly #limits: Limits
  readonly #sent: ClientRequest
  readonly #watchdog: Watchdog
  readonly #onAbort: () => void
  #response: IncomingMessage | undefined
  /** Why it was given up, before the socket's own error. */
  #reason: Error | undefined

  constructor(request: HttpRequest, clock: Clock, limits: Limits) {
    const { url, method, headers, agent, signal } = request
    this.#request = request
    this.#limits = limits
    const driver = url.protocol === 'https:' ? https : http
    this.#sent = driver.request(url, {
      method,
      agent,
      maxHeaderSize: MAX_HEADERS,
      headers: { ...headers, ...lengthOf(request.body) },
    })
    this.#watchdog = new Watchdog(clock, limits.connect, (limit) => this.#giveUp(stalled(url.host, limit)))
    this.#onAbort = () => this.#giveUp(signal?.reason as Error)
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  async answer(): Promise<HttpReply> {
    const sent = this.#sent
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    sent.on('response', resolve)
    sent.on('error', reject)
    sent.on('close', () => reject(cutShort(this.#host)))
    sent.once('socket', (socket) => {
      const connected = (): void => this.#watchdog.wait(this.#limits.stall)
      if (!socket.connecting) return connected()
      socket.once(this.#request.url.protocol === 'https:' ? 'secureConnect' : 'connect', connected)
    })
    try {
      const sending = this.#send()
      this.#response = await promise
      await sending
      return this.#reply(this.#response)
    } catch (error) {
      this.#release()
      throw this.#explain(error)
    }
  }

  /** Never rejects: what goes wrong with the source destroys the request, and so rejects the answer. */
  async #send(): Promise<void> {
    const { body } = this.#request
    try {
      if (body !== undefined && Symbol.asyncIterator in body && !(await this.#sendAll(body))) return
      this.#sent.end(body !== undefined && !(Symbol.asyncIterator in body) ? body : undefined)
      if (body !== undefined) this.#watchdog.wait(this.#limits.answer)
    } catch (error) {
      this.#giveUp(error as Error)
    }
  }

  /** False when the registry has answered before it had everything: then the rest is not sent, nor an end. */
  async #sendAll(body: AsyncIterable<Uint8Array>): Promise<boolean> {
    const over = new AbortController()
    this.#sent.once('close', () => over.abort())
    this.#sent.once('response', () => over.abort())
    for await (const chunk of body) {
      if (over.signal.aborted) return false
      if (this.#sent.write(chunk)) continue
      this.#watchdog.wait(this.#limits.stall)
      await drained(this.#sent, over.signal)
      this.#watchdog.rest()
    }
    return !over.signal.aborted
  }

  #reply(response: IncomingMessage): HttpReply {
    this.#watchdog.rest()
    // A body may fail, or be given up, before anybody reads it.
    response.on('error', () => this.#release()).on('close', () => this.#release())
    const chunks = (): AsyncIterable<Uint8Array> => this.#chunks(response)
    return {
      url: this.#request.url,
      status: response.statusCode ?? 0,
      headers: response.headers,
      chunks,
      bytes: (limit, what = 'answer') => {
        const tooLarge = `the ${what} is larger than the ${limit} bytes allowed`
        const length = Number(response.headers['content-length'] ?? 0)
        return collect(chunks(), { length, limit, tooLarge: () => badAnswer(this.#host, tooLarge) })
      },
      [Symbol.dispose]: () => this.#drop(response),
    }
  }

  async *#chunks(response: IncomingMessage): AsyncGenerator<Uint8Array> {
    try {
      const iterator = response[Symbol.asyncIterator]() as AsyncIterableIterator<Uint8Array>
      for (;;) {
        this.#watchdog.wait(this.#limits.stall)
        const next = await iterator.next()
        this.#watchdog.rest()
        if (next.done === true) break
        yield next.value
      }
      if (!response.complete) throw cutShort(this.#host)
    } catch (error) {
      throw this.#reason ?? (error instanceof EngineError ? error : cutShort(this.#host, error))
    } finally {
      this.#drop(response)
    }
  }

  #drop(response: IncomingMessage): void {
    if (response.readableEnded || response.destroyed) return this.#release()
    const length = Number(response.headers['content-length'] ?? Number.NaN)
    const empty = this.#request.method === 'HEAD' || response.statusCode === 204
    if (!this.#sent.writableFinished || !(empty || length <= MAX_DRAIN)) {
      response.destroy()
      return
    }
    this.#watchdog.wait(this.#limits.stall)
    response.resume()
  }

  #giveUp(reason: Error): void {
    this.#reason ??= reason
    if (this.#response === undefined) this.#sent.destroy(reason)
    else this.#response.destroy(reason)
  }

  #release(): void {
    this.#watchdog[Symbol.dispose]()
    this.#request.signal?.removeEventListener('abort', this.#onAbort)
  }

  #explain(error: unknown): unknown {
    if (this.#reason !== undefined) return this.#reason
    if (error instanceof EngineError) return error
    const old = this.#sent.reusedSocket && isErrno(error, 'ECONNRESET', 'EPIPE')
    return old ? closedWhileIdle(this.#host, error) : connectionError(this.#host, error)
  }

  get #host(): string {
    return this.#request.url.host
  }
}

/** Until more can be written, or nobody wants it any more. */
async function drained(request: ClientRequest, signal: AbortSignal): Promise<void> {
  try {
    await once(request, 'drain', { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function collect(
  chunks: AsyncIterable<Uint8Array>,
  {
    length,
    limit,
    tooLarge,
  }: { readonly length: number; readonly limit: number; readonly tooLarge: () => EngineError },
): Promise<Uint8Array> {
  if (length > limit) throw tooLarge()
  const parts: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    if (size > limit) throw tooLarge()
    parts.push(chunk)
  }
  return Buffer.concat(parts)
}

function lengthOf(body: HttpRequest['body']): Record<string, string> {
  return body instanceof Uint8Array ? { 'content-length': String(body.length) } : {}
}
