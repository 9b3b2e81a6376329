/**
 * A registry in memory over real HTTP, small and scripted: what it holds is set by the test, and `fault` may do anything
 * to any request. It believes what it is told; src/registry/server is the one that checks.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { type Digest, digestOf } from '#base/digest.ts'
import { type FakeAuth, FakeTokens } from './fake-tokens.ts'

export interface SeenRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: http.IncomingHttpHeaders
}

/** What happens instead of, or during, the ordinary answer. Bytes count in the body, of the answer or the upload. */
export type Fault =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers?: object
      readonly body?: string | Uint8Array
    }
  | { readonly kind: 'drop' }
  | { readonly kind: 'cut'; readonly after: number }
  | { readonly kind: 'stall'; readonly after: number }
  /** One bit of the body is another one. */
  | { readonly kind: 'tamper' }
  | { readonly kind: 'ignore range' }

export interface FakeRegistryOptions {
  /** PEM; with `requestCert` clients must show a certificate of `ca`. */
  readonly tls?:
    | { readonly cert: string; readonly key: string; readonly ca?: string; readonly requestCert?: boolean }
    | undefined
  readonly auth?: FakeAuth | undefined
  /** 127.0.0.1 and any port when absent. */
  readonly listen?: { readonly address: string; readonly port: number } | undefined
}

interface Stored {
  readonly bytes: Uint8Array
  readonly mediaType: string
}

interface UploadSession {
  readonly repository: string
  bytes: Buffer
}

export class FakeRegistry implements AsyncDisposable {
  readonly requests: SeenRequest[] = []
  readonly blobs = new Map<string, Uint8Array>()
  /** By repository, then by tag and by digest. */
  readonly repositories = new Map<string, Map<string, Stored>>()
  readonly uploads = new Map<string, UploadSession>()
  readonly search: object[] = []
  /** Looked at for every request that may pass; the first to return one wins. */
  fault: (request: SeenRequest) => Fault | undefined = () => undefined
  tagsPerPage = 1000
  /** Made so far. */
  connections = 0
  referrersApi = true
  readonly tokens: FakeTokens
  readonly #server: http.Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: http.Server, auth: FakeAuth | undefined) {
    this.#server = server
    this.tokens = new FakeTokens(auth, () => this.origin)
    server.on('connection', (socket: Socket) => {
      this.connections += 1
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#handle(request, response).catch(() => response.destroy())
    })
  }

  static async start({ tls, auth, listen }: FakeRegistryOptions = {}): Promise<FakeRegistry> {
    const server = tls === undefined ? http.createServer() : https.createServer(tls)
    const registry = new FakeRegistry(server, auth)
    server.listen(listen?.port ?? 0, listen?.address ?? '127.0.0.1')
    await once(server, 'listening')
    return registry
  }

  /** Address and port: the domain of its references. */
  get host(): string {
    const { address, port } = this.#server.address() as AddressInfo
    return `${address}:${port}`
  }

  get origin(): string {
    return `${this.#server instanceof https.Server ? 'https' : 'http'}://${this.host}`
  }

  addBlob(content: Uint8Array | string): { readonly digest: Digest; readonly size: number } {
    const bytes = Buffer.from(content)
    const digest = digestOf(bytes)
    this.blobs.set(digest, bytes)
    return { digest, size: bytes.length }
  }

  /** A document, or bytes as they are; under its digest too. */
  addManifest(
    repository: string,
    tag: string,
    content: object,
    mediaType: string,
  ): { readonly digest: Digest } {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content))
    const digest = digestOf(bytes)
    for (const name of [tag, digest]) this.repository(repository).set(name, { bytes, mediaType })
    return { digest }
  }

  repository(name: string): Map<string, Stored> {
    const known = this.repositories.get(name) ?? new Map<string, Stored>()
    this.repositories.set(name, known)
    return known
  }

  /** Nobody is connected any more. */
  async closed(): Promise<void> {
    for (const socket of this.#sockets) await once(socket, 'close')
  }

  /** Requests as `METHOD path`, those for tokens included. */
  get log(): readonly string[] {
    return this.requests.map(({ method, url }) => `${method} ${url.split('?', 1)[0]}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request
    const seen = { method, url, headers }
    this.requests.push(seen)
    if (await this.tokens.handle(request, response)) return
    const fault = this.fault(seen)
    if (fault?.kind === 'drop') return void request.socket.destroy()
    if (fault?.kind === 'answer') {
      request.resume()
      response.writeHead(fault.status, { ...fault.headers } as http.OutgoingHttpHeaders)
      return void response.end(fault.body)
    }
    const answer = this.tokens.challenge(request) ?? (await this.#answer(request, fault))
    if (answer !== undefined) await send(request, response, answer, fault)
  }

  async #answer(request: IncomingMessage, fault: Fault | undefined): Promise<Answer | undefined> {
    const url = new URL(request.url ?? '', 'http://registry')
    if (url.pathname === '/v2/') return { status: 200, body: '{}' }
    if (url.pathname === '/v1/search') return json(200, { results: this.search })
    const [, name = '', kind = '', rest = ''] =
      /^\/v2\/(.+?)\/(blobs|manifests|tags|referrers)\/(.*)$/.exec(url.pathname) ?? []
    if (kind === 'blobs' && rest.startsWith('uploads/')) {
      return this.#upload(
        request,
        { name, id: rest.slice('uploads/'.length), query: url.searchParams },
        fault,
      )
    }
    if (kind === 'blobs') return this.#blob(request, rest, fault)
    if (kind === 'manifests') return this.#manifest(request, name, rest)
    if (kind === 'tags') return this.#tags(name, url.searchParams)
    if (kind === 'referrers' && this.referrersApi) return this.#referrers(name, rest)
    return failure(404, 'UNSUPPORTED', 'page not found')
  }

  #blob(request: IncomingMessage, digest: string, fault: Fault | undefined): Answer {
    const bytes = this.blobs.get(digest)
    if (bytes === undefined) return failure(404, 'BLOB_UNKNOWN', 'blob unknown to registry')
    const headers = { 'docker-content-digest': digest }
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    if (from === undefined || fault?.kind === 'ignore range') return { status: 200, headers, body: bytes }
    const end = to === '' ? bytes.length : Math.min(bytes.length, Number(to) + 1)
    if (Number(from) >= bytes.length) return failure(416, 'RANGE_INVALID', 'range')
    const range = `bytes ${from}-${end - 1}/${bytes.length}`
    return {
      status: 206,
      headers: { ...headers, 'content-range': range },
      body: bytes.subarray(Number(from), end),
    }
  }

  async #manifest(request: IncomingMessage, name: string, reference: string): Promise<Answer> {
    if (request.method === 'PUT') {
      const bytes = await read(request)
      const mediaType = request.headers['content-type'] ?? ''
      const { digest } = this.addManifest(name, reference, bytes, mediaType)
      return {
        status: 201,
        headers: { 'docker-content-digest': digest, location: `/v2/${name}/manifests/${digest}` },
      }
    }
    const stored = this.repositories.get(name)?.get(reference)
    if (stored === undefined) return failure(404, 'MANIFEST_UNKNOWN', 'manifest unknown')
    const headers = { 'content-type': stored.mediaType, 'docker-content-digest': digestOf(stored.bytes) }
    return { status: 200, headers, body: stored.bytes }
  }

  #tags(name: string, query: URLSearchParams): Answer {
    const stored = this.repositories.get(name)
    if (stored === undefined) return failure(404, 'NAME_UNKNOWN', 'repository name not known to registry')
    const last = query.get('last') ?? ''
    const all = [...stored.keys()].filter((key) => !key.includes(':') && key > last).toSorted()
    const tags = all.slice(0, this.tagsPerPage)
    const link = `</v2/${name}/tags/list?last=${tags.at(-1)}>; rel="next"`
    return json(200, { name, tags }, all.length > tags.length ? { link } : {})
  }

  #referrers(name: string, digest: string): Answer {
    const manifests = [...(this.repositories.get(name) ?? [])].flatMap(([key, { bytes, mediaType }]) => {
      const { subject, artifactType } = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
      const matches = key.includes(':') && (subject as { digest?: string } | undefined)?.digest === digest
      return matches ? [{ mediaType, digest: key, size: bytes.length, artifactType }] : []
    })
    return json(200, { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests })
  }

  async #upload(
    request: IncomingMessage,
    { name, id, query }: { readonly name: string; readonly id: string; readonly query: URLSearchParams },
    fault: Fault | undefined,
  ): Promise<Answer | undefined> {
    if (request.method === 'POST') return this.#beginUpload(name, query)
    const session = this.uploads.get(id)
    if (session === undefined) return failure(404, 'BLOB_UPLOAD_UNKNOWN', 'upload unknown')
    if (request.method === 'DELETE') {
      this.uploads.delete(id)
      return { status: 204 }
    }
    const limit = fault?.kind === 'cut' ? fault.after : Number.POSITIVE_INFINITY
    for await (const chunk of request as AsyncIterable<Buffer>) {
      session.bytes = Buffer.concat([
        session.bytes,
        chunk.subarray(0, Math.max(0, limit - session.bytes.length)),
      ])
      if (session.bytes.length < limit) continue
      request.socket.destroy()
      return undefined
    }
    const digest = query.get('digest')
    if (request.method !== 'PUT')
      return { status: request.method === 'GET' ? 204 : 202, headers: place(name, id, session) }
    if (digest !== digestOf(session.bytes)) return failure(400, 'DIGEST_INVALID', 'digest did not match')
    this.uploads.delete(id)
    this.blobs.set(digest, session.bytes)
    return {
      status: 201,
      headers: { 'docker-content-digest': digest, location: `/v2/${name}/blobs/${digest}` },
    }
  }

  #beginUpload(name: string, query: URLSearchParams): Answer {
    const mount = query.get('mount')
    if (mount !== null && this.blobs.has(mount)) {
      return {
        status: 201,
        headers: { 'docker-content-digest': mount, location: `/v2/${name}/blobs/${mount}` },
      }
    }
    const id = randomUUID()
    const session = { repository: name, bytes: Buffer.alloc(0) }
    this.uploads.set(id, session)
    return { status: 202, headers: place(name, id, session) }
  }
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

export function failure(status: number, code: string, message: string): Answer {
  return json(status, { errors: [{ code, message }] })
}

function json(status: number, document: object, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(document),
  }
}

function place(name: string, id: string, { bytes }: UploadSession): Record<string, string> {
  return {
    location: `/v2/${name}/blobs/uploads/${id}`,
    'docker-upload-uuid': id,
    range: `0-${Math.max(0, bytes.length - 1)}`,
  }
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers = {}, body = '' }: Answer,
  fault: Fault | undefined,
): Promise<void> {
  const bytes = Buffer.from(body)
  response.writeHead(status, { ...headers, 'content-length': bytes.length })
  if (request.method === 'HEAD') return void response.end()
  if (fault?.kind === 'tamper' && bytes.length > 0) bytes[0] = (bytes[0] ?? 0) ^ 1
  if (fault?.kind !== 'cut' && fault?.kind !== 'stall') return void response.end(bytes)
  response.flushHeaders()
  if (fault.after > 0) {
    await new Promise<void>((resolve) => void response.write(bytes.subarray(0, fault.after), () => resolve()))
  }
  if (fault.kind === 'cut') response.destroy()
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}
