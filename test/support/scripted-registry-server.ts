/** A registry over HTTP that does wrong what it is told to; run as a program of its own by scripted-registry.ts. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'

export interface Script {
  /** Blobs by digest. */
  readonly blobs: ReadonlyMap<string, Uint8Array>
  /** Manifests by digest and by tag. */
  readonly manifests: ReadonlyMap<
    string,
    { readonly bytes: Uint8Array; readonly mediaType: string; readonly digest: string }
  >
}

export interface Faults {
  /** Bytes of blobs that are sent before connections are cut; nothing is accepted afterwards. */
  readonly cutAfter?: number | undefined
  /** Requests for the blob with this digest are accepted and never answered. */
  readonly hang?: string | undefined
  /** So many requests are put off, with `Retry-After` in seconds. */
  readonly tooMany?: number | undefined
  readonly retryAfter?: number | undefined
  readonly ignoreRanges?: boolean | undefined
  /** Byte of every blob that is sent wrong. */
  readonly flip?: number | undefined
  /** Milliseconds before each piece of 64 KiB. */
  readonly slow?: number | undefined
}

export interface Statistics {
  readonly sent: number
  readonly requests: readonly string[]
}

const PIECE = 64 << 10

let script: Script = { blobs: new Map(), manifests: new Map() }
let faults: Faults = {}
let sent = 0
let requests: string[] = []
let refused = 0

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy())
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = 'GET', url = '/' } = request
  requests.push(
    `${method} ${url} ${request.headers.range ?? ''} ${request.headers.authorization ?? ''}`.trim(),
  )
  response.setHeader('docker-distribution-api-version', 'registry/2.0')
  const manifest = /\/manifests\/(.+)$/.exec(url)?.[1]
  const blob = /\/blobs\/(.+)$/.exec(url)?.[1]
  if (url === '/v2/') response.end('{}')
  else if (/\/tags\/list(\?|$)/.test(url)) response.end(JSON.stringify({ name: 'x', tags: tags() }))
  else if (refused < (faults.tooMany ?? 0)) tooMany(response)
  else if (manifest !== undefined) sendManifest(method, manifest, response)
  else if (blob !== undefined) await sendBlob(blob, request, response)
  else response.writeHead(404).end()
}

function tags(): string[] {
  return [...script.manifests.keys()].filter((name) => !name.startsWith('sha256:'))
}

function tooMany(response: ServerResponse): void {
  refused++
  response.writeHead(429, { 'retry-after': String(faults.retryAfter ?? 1) })
  response.end(JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down' }] }))
}

function sendManifest(method: string, name: string, response: ServerResponse): void {
  const found = script.manifests.get(name)
  if (found === undefined) {
    response.writeHead(404)
    response.end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }))
    return
  }
  response.writeHead(200, {
    'content-type': found.mediaType,
    'content-length': found.bytes.length,
    'docker-content-digest': found.digest,
  })
  response.end(method === 'HEAD' ? undefined : found.bytes)
}

async function sendBlob(digest: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const bytes = script.blobs.get(digest)
  if (bytes === undefined) {
    response.writeHead(404)
    response.end(JSON.stringify({ errors: [{ code: 'BLOB_UNKNOWN', message: 'blob unknown to registry' }] }))
    return
  }
  if (faults.hang === digest) return
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const isPart = from !== undefined && faults.ignoreRanges !== true
  const offset = isPart ? Number(from) : 0
  const end = isPart && to ? Math.min(Number(to) + 1, bytes.length) : bytes.length
  response.writeHead(isPart ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': end - offset,
    ...(isPart ? { 'content-range': `bytes ${offset}-${end - 1}/${bytes.length}` } : {}),
  })
  await pipeline(pieces(bytes.subarray(0, end), offset), response)
}

async function* pieces(bytes: Uint8Array, offset: number): AsyncGenerator<Uint8Array> {
  const { slow, cutAfter = Infinity, flip = -1 } = faults
  for (let at = offset; at < bytes.length; at += PIECE) {
    if (slow !== undefined) await delay(slow)
    if (sent >= cutAfter) throw new Error('cut')
    const piece = Uint8Array.prototype.slice.call(bytes, at, at + PIECE)
    if (flip >= at && flip < at + piece.length) piece[flip - at]! ^= 0xff
    sent += piece.length
    yield piece
  }
}

process.on(
  'message',
  (message: { readonly script?: Script; readonly faults?: Faults; readonly ask?: 'statistics' }) => {
    if (message.script !== undefined) script = message.script
    if (message.faults !== undefined) {
      faults = message.faults
      sent = 0
      refused = 0
      requests = []
    }
    process.send?.({ sent, requests } satisfies Statistics)
  },
)
process.on('disconnect', () => process.exit())

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
