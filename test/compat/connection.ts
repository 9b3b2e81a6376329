/** The wire as clients see it, over a unix socket: requests, taken-over connections, and bytes as they are. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { type Socket, connect } from 'node:net'
import type { Readable } from 'node:stream'

/** An answer whose head is there. */
export interface Opened extends Disposable {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Readable
  /** The other direction, once the connection was taken over. */
  readonly socket: Socket
}

export interface Outgoing {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly payload?: string | Uint8Array | undefined
}

const PATIENCE_MS = 30_000

/** Asks, and resolves when the answer's head is there. Rejects when the connection breaks or nothing is heard. */
export async function open(socketPath: string, outgoing: Outgoing): Promise<Opened> {
  const { method, path, headers, payload } = outgoing
  const length = payload === undefined ? {} : { 'content-length': String(Buffer.byteLength(payload)) }
  const sent = request({ socketPath, method, path, headers: { ...headers, ...length }, agent: false })
  const timer = setTimeout(() => sent.destroy(new Error('no answer')), PATIENCE_MS)
  try {
    const { promise, resolve, reject } = Promise.withResolvers<Opened>()
    sent.on('error', reject)
    sent.once('response', (response) => resolve(opened(response, response.socket, response)))
    sent.once('upgrade', (response, stream, head) => {
      const socket = stream
      if (head.length > 0) socket.unshift(head)
      resolve(opened(response, socket, socket))
    })
    sent.end(payload)
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

function opened(response: IncomingMessage, socket: Socket, body: Readable): Opened {
  // A connection that is given up breaks; whoever reads hears of it there.
  socket.on('error', () => undefined)
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body,
    socket,
    [Symbol.dispose]: () => socket.destroy(),
  }
}

/** What the body says until it ends, or `enough` says so. Rejects when neither comes. */
export async function readBody(
  { body, socket }: Opened,
  enough: (seen: Buffer) => boolean = () => false,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  const timer = setTimeout(() => body.destroy(new Error('the answer does not end')), PATIENCE_MS)
  try {
    for await (const chunk of body) {
      chunks.push(chunk as Buffer)
      if (enough(Buffer.concat(chunks))) break
    }
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
  return Buffer.concat(chunks)
}

/** Sends bytes and returns what comes until the other side closes. */
export async function exchange(socketPath: string, bytes: string): Promise<Buffer> {
  const socket = connect(socketPath)
  await once(socket, 'connect')
  socket.write(bytes, 'latin1')
  const chunks: Buffer[] = []
  const timer = setTimeout(() => socket.destroy(new Error('the connection is not closed')), PATIENCE_MS)
  try {
    for await (const chunk of socket) chunks.push(chunk as Buffer)
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
  return Buffer.concat(chunks)
}
