import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Reply } from './reply.ts'

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
      await pipeline(
        reply.chunks instanceof Readable ? reply.chunks : Readable.from(reply.chunks, { objectMode: false }),
        response,
      )
      return
  }
}

function lengthOf(status: number): Record<string, string> {
  return status === 204 || status === 304 ? {} : { 'Content-Length': '0' }
}
