import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Reply, StreamReply } from './reply.ts'

/** The only code that writes a response. After a rejection the connection is of no more use. */
export async function writeReply(reply: Reply, response: ServerResponse): Promise<void> {
  switch (reply.kind) {
    case 'empty':
      response.writeHead(reply.status, { ...lengthOf(reply.status), ...reply.headers }).end()
      return
    case 'bytes':
      response
        .writeHead(reply.status, {
          'Content-Type': reply.contentType,
          'Content-Length': reply.bytes.length,
          ...reply.headers,
        })
        .end(reply.bytes)
      return
    case 'stream':
      response.writeHead(reply.status, {
        'Content-Type': reply.contentType,
        ...(reply.size === undefined ? {} : { 'Content-Length': reply.size }),
        ...reply.headers,
      })
      await writeChunks(reply.chunks, response)
      return
  }
}

async function writeChunks(chunks: StreamReply['chunks'], response: ServerResponse): Promise<void> {
  if (!('send' in chunks)) {
    await pipeline(Readable.from(chunks, { objectMode: false }), response)
    return
  }
  await chunks.send((chunk) => written(response, chunk))
  response.end()
}

/** Resolves when the kernel has the chunk: its memory is free then. */
async function written(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onClose = (): void => reject(response.errored ?? new Error('the connection was closed'))
  response.once('close', onClose)
  try {
    if (response.destroyed) onClose()
    else response.write(chunk, (error) => (error ? reject(error) : resolve()))
    await promise
  } finally {
    response.off('close', onClose)
  }
}

function lengthOf(status: number): Record<string, string> {
  return status === 204 || status === 304 ? {} : { 'Content-Length': '0' }
}
