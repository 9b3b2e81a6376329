import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { stringify } from '#api/json.ts'
import { EngineError } from '#base/errors.ts'
import { abortable } from '#base/mutex.ts'
import { join } from './join.ts'
import { serveWebSocket } from './websocket.ts'
import type { BytesReply, ProtocolReply, RecordsReply, Reply } from './reply.ts'

export interface WriteOptions {
  readonly signal: AbortSignal
  /** Told of a failure that can no longer become a status. */
  readonly onLateFailure: (error: unknown) => void
}

/** The only code that writes a response. Rejects only while nothing has been sent. */
export async function writeReply(
  reply: Reply,
  response: ServerResponse,
  options: WriteOptions,
): Promise<void> {
  switch (reply.kind) {
    case 'empty':
      response.writeHead(reply.status, { ...lengthOf(reply.status), ...reply.headers }).end()
      return
    case 'json':
      writeWhole(response, reply.status, 'application/json', `${stringify(reply.body)}\n`)
      return
    case 'text':
      writeWhole(response, reply.status, 'text/plain; charset=utf-8', reply.body, reply.headers)
      return
    case 'pending':
      await writePending(reply.body, response, options)
      return
    case 'records':
      await writeRecords(reply, response, options)
      return
    case 'bytes':
      await writeBytes(reply, response, options)
      return
    case 'upgrade':
      writeRawHead(response)
      // No Upgrade header and a connection that was used before: what the client sends cannot be told from
      // its next request, so this stream has output alone.
      reply.attached.stream.end()
      await send(reply.attached.stream, response, options)
      return
    case 'websocket':
      reply.attached.stream.destroy()
      throw upgradeNeeded('a websocket')
    case 'protocol':
      // The route sees to it that there was an Upgrade header; without one there is no connection to be had.
      throw upgradeNeeded(reply.protocol)
  }
}

function upgradeNeeded(protocol: string): EngineError {
  return new EngineError(
    'invalid_argument',
    `the connection cannot become ${protocol}: the request does not ask for it`,
    {
      code: 'UPGRADE_NEEDED',
    },
  )
}

/** The connection of an answered upgrade request becomes the stream; resolves when it is closed. */
export async function writeTakeOver(
  reply: Extract<Reply, { kind: 'upgrade' }>,
  response: ServerResponse,
  head: Uint8Array,
  options: { readonly switching: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const { socket } = response
  if (socket === null) {
    reply.attached.stream.destroy()
    return
  }
  const headers = Object.entries(response.getHeaders()).map(
    ([name, value]) => `${name}: ${String(value)}\r\n`,
  )
  response.detachSocket(socket)
  const start = options.switching
    ? `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${reply.contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n`
    : 'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n'
  socket.write(`${start}${headers.join('')}\r\n`)
  if (head.length > 0) socket.unshift(head)
  await join(socket, reply.attached.stream, options)
}

/** The connection of an answered upgrade request becomes a websocket; resolves when it is closed. */
export async function writeWebSocket(
  { attached, text }: Extract<Reply, { kind: 'websocket' }>,
  response: ServerResponse,
  head: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const { socket, req: request } = response
  if (socket === null) {
    attached.stream.destroy()
    return
  }
  response.detachSocket(socket)
  const upgrade = { request, connection: socket, head: Buffer.from(head), text, signal }
  await serveWebSocket(attached, upgrade)
}

/** The connection of an answered upgrade request speaks another protocol from here on; resolves when it is closed. */
export async function writeSwitch(
  { protocol, serve }: ProtocolReply,
  response: ServerResponse,
  head: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const { socket } = response
  if (socket === null) return
  response.detachSocket(socket)
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`)
  if (head.length > 0) socket.unshift(head)
  await serve(socket, signal)
}

function lengthOf(status: number): Record<string, string> {
  return status === 204 || status === 304 ? {} : { 'Content-Length': '0' }
}

function writeWhole(
  response: ServerResponse,
  status: number,
  contentType: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response
    .writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(text), ...headers })
    .end(text)
}

/** A failure that is there within the same turn of the event loop is still an ordinary error. */
async function writePending(
  body: Promise<unknown>,
  response: ServerResponse,
  options: WriteOptions,
): Promise<void> {
  // Told once, below; a client that leaves first is told nothing.
  body.catch(() => undefined)
  await Promise.race([body, turn()])
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.flushHeaders()
  try {
    response.end(`${stringify(await abortable(body, options.signal))}\n`)
  } catch (error) {
    if (!options.signal.aborted) options.onLateFailure(error)
    response.destroy()
  }
}

async function writeRecords(
  reply: RecordsReply,
  response: ServerResponse,
  options: WriteOptions,
): Promise<void> {
  const items = reply.items[Symbol.asyncIterator]()
  // Asked for before the head goes out: who reads the head may rely on being subscribed.
  const first = items.next()
  await Promise.race(reply.head === 'with first' ? [first] : [first, turn()])
  response.writeHead(200, { 'Content-Type': reply.contentType })
  response.flushHeaders()
  const lines = Readable.from(linesOf(first, items, reply, options), { highWaterMark: 1 })
  await send(lines, response, options)
}

async function* linesOf(
  first: Promise<IteratorResult<unknown>>,
  items: AsyncIterator<unknown>,
  reply: RecordsReply,
  options: WriteOptions,
): AsyncGenerator<string> {
  const lineOf = (item: unknown): string => `${reply.before}${stringify(item)}${reply.after}`
  try {
    for (let next = await first; next.done !== true; next = await items.next()) {
      yield lineOf(next.value)
    }
  } catch (error) {
    if (reply.failure === undefined || options.signal.aborted) throw error
    options.onLateFailure(error)
    yield lineOf(reply.failure(error))
  } finally {
    await items.return?.()
  }
}

async function writeBytes(reply: BytesReply, response: ServerResponse, options: WriteOptions): Promise<void> {
  response.writeHead(200, { 'Content-Type': reply.contentType, ...reply.headers })
  response.flushHeaders()
  const source =
    reply.failure === undefined ? reply.chunks : withFailure(reply.chunks, reply.failure, options)
  await send(source, response, options)
}

async function* withFailure(
  chunks: AsyncIterable<Uint8Array>,
  failure: (error: unknown) => Uint8Array,
  options: WriteOptions,
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } catch (error) {
    if (options.signal.aborted) throw error
    options.onLateFailure(error)
    yield failure(error)
  }
}

/**
 * After the head the only way left to say "this is not all" is to cut the connection. That it has closed is looked for here:
 * an answer that waits for the one before it on the same connection is never told.
 */
async function send(
  source: AsyncIterable<string | Uint8Array>,
  response: ServerResponse,
  options: WriteOptions,
): Promise<void> {
  const { socket } = response.req
  const left = new AbortController()
  const onClose = (): void => left.abort()
  socket.once('close', onClose)
  if (socket.destroyed) onClose()
  try {
    await abortable(pipeline(source, response, { signal: left.signal }), left.signal)
  } catch (error) {
    if (!options.signal.aborted) options.onLateFailure(error)
    response.destroy()
  } finally {
    socket.off('close', onClose)
  }
}

/** A body without length or chunks that ends with the connection. */
function writeRawHead(response: ServerResponse): void {
  response.removeHeader('Transfer-Encoding')
  response.shouldKeepAlive = false
  response.useChunkedEncodingByDefault = false
  response.writeHead(200, { 'Content-Type': 'application/vnd.docker.raw-stream' })
  response.flushHeaders()
}
