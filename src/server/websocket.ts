/** Attached streams over a websocket (RFC 6455): output without frames of its own, each message of the client is input. */
import type { IncomingMessage } from 'node:http'
import { Duplex, Readable } from 'node:stream'
import type { WebSocket } from 'ws'
import { FrameReader } from '#api/stdcopy.ts'
import type { AttachedStream } from '#engine/services.ts'
import { join } from './join.ts'

/** Bytes of one message of a client. */
const MAX_MESSAGE = 1 << 20

interface Upgrade {
  readonly request: IncomingMessage
  readonly connection: Duplex
  /** What came with the head of the request. */
  readonly head: Buffer
  /** Output in text messages, not binary ones. */
  readonly text: boolean
  readonly signal: AbortSignal
}

/** Answers the handshake and joins the two; resolves when the connection is closed, never rejects. */
export async function serveWebSocket(
  { tty, stream }: AttachedStream,
  { request, connection, head, text, signal }: Upgrade,
): Promise<void> {
  const { WebSocketServer, createWebSocketStream } = await import('ws')
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_MESSAGE })
  const { promise, resolve } = Promise.withResolvers<WebSocket | undefined>()
  // A handshake that is none is answered with 400, and the connection closed.
  connection.once('close', () => resolve(undefined))
  server.handleUpgrade(request, connection, head, resolve)
  const socket = await promise
  if (socket === undefined) {
    stream.destroy()
    return
  }
  const messages = createWebSocketStream(socket, { decodeStrings: false })
  await join(messages, tty && !text ? stream : payloadsOf(stream, { tty, text }), { signal })
}

function payloadsOf(stream: Duplex, as: { readonly tty: boolean; readonly text: boolean }): Duplex {
  const readable = Readable.from(payloads(stream, as))
  // Node takes streams of its own here, too; its types have those of the web alone.
  return Duplex.from({ writable: stream, readable } as never)
}

async function* payloads(
  stream: Duplex,
  { tty, text }: { readonly tty: boolean; readonly text: boolean },
): AsyncGenerator<Uint8Array | string> {
  const frames = new FrameReader()
  const decoder = new TextDecoder()
  for await (const chunk of stream) {
    for (const payload of tty ? [chunk] : frames.push(chunk).map((each) => each.payload)) {
      yield text ? decoder.decode(payload, { stream: true }) : payload
    }
  }
}
