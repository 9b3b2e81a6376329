import type { ServerResponse } from 'node:http'
import type { Reply, StreamReply } from './reply.ts'

/**
 * The only code that writes a response. Resolves when the kernel has all of its body; after a rejection the connection is
 * of no more use.
 */
export async function writeReply(reply: Reply, response: ServerResponse): Promise<void> {
  switch (reply.kind) {
    case 'empty':
      response.writeHead(reply.status, { ...lengthOf(reply.status), ...reply.headers })
      break
    case 'bytes':
      response.writeHead(reply.status, {
        'Content-Type': reply.contentType,
        'Content-Length': reply.bytes.length,
        ...reply.headers,
      })
      await written(response, reply.bytes)
      break
    case 'stream':
      response.writeHead(reply.status, {
        'Content-Type': reply.contentType,
        ...(reply.size === undefined ? {} : { 'Content-Length': reply.size }),
        ...reply.headers,
      })
      await writeChunks(reply.chunks, response)
      break
  }
  // Not before: a server that closes takes the connection of an ended response for an idle one.
  response.end()
}

async function writeChunks(chunks: StreamReply['chunks'], response: ServerResponse): Promise<void> {
  if ('send' in chunks) await chunks.send((chunk) => written(response, chunk))
  else for await (const chunk of chunks) await written(response, chunk)
}

/** Resolves when the kernel has the chunk: its memory is free then. */
async function written(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  using _closed = onClosed(response, () => reject(response.errored ?? new Error('the connection was closed')))
  response.write(chunk, (error) => (error ? reject(error) : resolve()))
  await promise
}

/** A response that waits for the one before it on its connection is not told when that closes: the socket is. */
function onClosed(response: ServerResponse, then: () => void): Disposable {
  const { socket } = response.req
  if (response.destroyed || socket.destroyed) then()
  response.once('close', then)
  socket.once('close', then)
  return {
    [Symbol.dispose]: () => {
      response.off('close', then)
      socket.off('close', then)
    },
  }
}

function lengthOf(status: number): Record<string, string> {
  return status === 204 || status === 304 ? {} : { 'Content-Length': '0' }
}
