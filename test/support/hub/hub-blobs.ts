/** What Docker Hub sends its clients to for blobs: a place of somebody else, who refuses to be shown a token. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

export class HubBlobs {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  async answer({ url = '/', method, headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, hex] = /\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})\/data\?verify=/.exec(url) ?? []
    if (hex === undefined) return void response.writeHead(404).end()
    if (headers.authorization !== undefined)
      return void response.writeHead(400).end('Unsupported Authorization')
    const path = join(this.#directory, 'blobs', `sha256:${hex}`)
    const { size } = await stat(path)
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
    const start = Number(from ?? 0)
    const end = Math.min(to ? Number(to) + 1 : size, size)
    response.writeHead(from === undefined ? 200 : 206, {
      'content-type': 'application/octet-stream',
      'content-length': end - start,
      'accept-ranges': 'bytes',
      ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
    })
    if (method === 'HEAD' || end === start) return void response.end()
    await pipeline(createReadStream(path, { start, end: end - 1 }), response)
  }
}
