/**
 * Sends one blob. distribution-spec "Pushing a blob in chunks": a cut is followed by the question how much the registry
 * has, and it goes on from there.
 */
import { createHash, type Hash } from 'node:crypto'
import { type Digest, digestFrom } from '#base/digest.ts'
import { engineErrorOf } from '#base/errors.ts'
import { badAnswer, wrongDigest } from './errors.ts'
import type { UploadOptions, UploadSource } from './repository.ts'
import { cancelUpload, storedBytes, type UploadTarget } from './upload-session.ts'
import { PieceReader } from './piece-reader.ts'
import { isTransient, pauseAfter } from './retries.ts'

export interface UploadResult {
  readonly digest: Digest
  readonly size: number
}

/** Bytes, for what stands before a registry and limits bodies: common limits are 100 MB and nginx's 1 MiB. */
const chunkSizes: readonly number[] = [16 << 20, 1 << 20]
const binary = { 'content-type': 'application/octet-stream' }

export class Upload {
  readonly #target: UploadTarget
  readonly #source: UploadSource
  readonly #options: UploadOptions
  #hash: Hash = createHash('sha256')
  /** Bytes from the beginning that are in the hash; later passes over the same bytes leave it as it is. */
  #hashed = 0
  /** Undefined: none is open. */
  #location: URL | undefined
  /** Where the registry stands. */
  #offset = 0
  /** The stream that chunks are cut from. */
  #reader: PieceReader | undefined
  #chunk = Infinity
  /** What the registry says. */
  #smallestChunk = 0
  /** Everything was sent, and whether it arrived is all that is not known. */
  #completing: UploadResult | undefined

  constructor(target: UploadTarget, source: UploadSource, options: UploadOptions) {
    this.#target = target
    this.#source = source
    this.#options = options
  }

  async run(): Promise<UploadResult> {
    try {
      return await this.#persist()
    } catch (error) {
      this.#reader?.close()
      await this.#cancel()
      throw error
    }
  }

  async #persist(): Promise<UploadResult> {
    const { retries } = this.#target
    const { signal } = this.#options
    for (let failures = 0, best = 0; ;) {
      try {
        return await this.#attempt()
      } catch (error) {
        this.#reader?.close()
        failures = this.#offset > best ? 1 : failures + 1
        best = Math.max(best, this.#offset)
        const pause = pauseAfter(error, failures, retries.random)
        if (failures >= retries.attempts || pause === undefined || !this.#mayGoOn(error)) throw error
        await retries.clock.sleep(pause, { signal })
        await this.#askWhere()
        const done = this.#completing
        if (this.#location === undefined && done !== undefined && (await this.#has(done.digest))) return done
        this.#completing = undefined
      }
    }
  }

  async #attempt(): Promise<UploadResult> {
    const { digest, size } = this.#source
    if (this.#location === undefined) await this.#begin()
    this.#reader?.close()
    this.#reader = undefined
    // With everything known one request less is needed.
    if (digest !== undefined && size !== undefined && this.#offset === 0 && size <= this.#chunk) {
      return this.#complete(digest, { size, body: true })
    }
    if (size === undefined || this.#offset < size) await this.#sendRest()
    return this.#complete(digest ?? digestFrom(this.#hash.copy()), {
      size: size ?? this.#hashed,
      body: false,
    })
  }

  /** end-4a */
  async #begin(): Promise<void> {
    const { exchange, path } = this.#target
    using reply = await exchange.send({
      ...this.#common(),
      method: 'POST',
      target: `/v2/${path}/blobs/uploads/`,
      body: () => new Uint8Array(),
      retry: 'always',
    })
    if (reply.status !== 202)
      throw badAnswer(reply.url.host, `unexpected status ${reply.status} for a new upload`)
    this.#location = exchange.follow(reply, reply.headers.location, 'Location')
    this.#offset = 0
    this.#smallestChunk = Number(reply.headers['oci-chunk-min-length'] ?? 0) || 0
  }

  /** end-5: everything that is left as one chunk, unless something on the way takes only small ones. */
  async #sendRest(): Promise<void> {
    do await this.#sendChunk(this.#offset)
    while ((await this.#reader?.ended()) === false)
  }

  async #sendChunk(from: number): Promise<void> {
    const { exchange } = this.#target
    const { size } = this.#source
    const length = Math.min(Math.max(this.#chunk, this.#smallestChunk), (size ?? Infinity) - from)
    const known: Record<string, string> =
      size === undefined
        ? {}
        : { 'content-length': String(length), 'content-range': `${from}-${from + length - 1}` }
    using reply = await exchange.send({
      ...this.#common(),
      method: 'PATCH',
      target: this.#opened(),
      headers: { ...binary, ...known },
      body: () => this.#piece(from, length),
      retry: 'never',
    })
    this.#location = exchange.follow(reply, reply.headers.location, 'Location')
    this.#offset = this.#reader?.position ?? from
  }

  /** Goes on in the stream that is open, if it stands there. */
  #piece(from: number, length: number): AsyncIterable<Uint8Array> {
    if (this.#reader?.position !== from) {
      this.#reader?.close()
      this.#reader = new PieceReader(this.#bytes(from), from)
    }
    return this.#reader.take(length)
  }

  /** end-6 */
  async #complete(
    digest: Digest,
    { size, body }: { readonly size: number; readonly body: boolean },
  ): Promise<UploadResult> {
    const target = new URL(this.#opened())
    // As it stands: what the registry wrote there may be signed.
    target.search += `${target.search === '' ? '?' : '&'}digest=${digest}`
    this.#completing = { digest, size }
    using reply = await this.#target.exchange.send({
      ...this.#common(),
      method: 'PUT',
      target,
      headers: body ? { ...binary, 'content-length': String(size) } : binary,
      body: body ? () => this.#bytes(0) : () => new Uint8Array(),
      retry: body ? 'never' : 'status',
    })
    this.#location = undefined
    const said = reply.headers['docker-content-digest']
    if (typeof said === 'string' && said !== '' && said !== digest)
      throw wrongDigest(reply.url.host, digest, said)
    const sent = digestFrom(this.#hash.copy())
    if (this.#hashed === size && sent !== digest) throw wrongDigest('the source', digest, sent)
    return { digest, size }
  }

  async *#bytes(from: number): AsyncGenerator<Uint8Array> {
    const { size } = this.#source
    let position = from
    for await (const chunk of this.#source.read(from)) {
      this.#account(position, chunk)
      position += chunk.length
      if (size !== undefined && position > size) throw badSource(`has more than ${size} bytes`)
      yield chunk
      this.#options.onProgress?.(position)
    }
    if (size !== undefined && position !== size) throw badSource(`has ${position} bytes, want ${size}`)
  }

  /** Adds what the hash has not seen yet. */
  #account(position: number, chunk: Uint8Array): void {
    const end = position + chunk.length
    if (end <= this.#hashed) return
    this.#hash.update(position < this.#hashed ? chunk.subarray(this.#hashed - position) : chunk)
    this.#hashed = end
  }

  /** The registry may have lost the upload, or have another idea of where it stands: that can be asked. */
  #mayGoOn(error: unknown): boolean {
    const status = Number(engineErrorOf(error)?.details['status'])
    const smaller = chunkSizes.find((size) => size < this.#chunk)
    if (status === 413 && smaller !== undefined) {
      this.#chunk = smaller
      return true
    }
    const lost = [404, 416].includes(status)
    return isTransient(error) || (lost && this.#location !== undefined)
  }

  async #has(digest: Digest): Promise<boolean> {
    const { exchange, path } = this.#target
    using reply = await exchange.send({
      ...this.#common(),
      method: 'HEAD',
      target: `/v2/${path}/blobs/${digest}`,
      accept: [404],
      retry: 'always',
    })
    return reply.status !== 404
  }

  /** end-13; without a clear answer it begins anew. */
  async #askWhere(): Promise<void> {
    const target = this.#location
    if (target === undefined) return
    const { exchange } = this.#target
    using reply = await exchange.send({
      ...this.#common(),
      method: 'GET',
      target,
      accept: [202, 204, 400, 404, 405, 416],
      retry: 'always',
    })
    this.#location = undefined
    this.#offset = 0
    const offset = reply.status === 204 || reply.status === 202 ? storedBytes(reply) : undefined
    if (offset === undefined || offset > this.#hashed) return
    const { location } = reply.headers
    this.#location = location === undefined ? target : exchange.follow(reply, location, 'Location')
    this.#offset = offset
  }

  /** Leaves nothing behind at the registry; that it fails changes nothing. */
  async #cancel(): Promise<void> {
    const target = this.#location
    this.#location = undefined
    if (target !== undefined) await cancelUpload(this.#target, target)
  }

  #opened(): URL {
    if (this.#location === undefined) throw new Error('no upload is open')
    return this.#location
  }

  #common() {
    const { scopes, subject } = this.#target
    return { scopes, subject, signal: this.#options.signal }
  }
}

function badSource(what: string): Error {
  return badAnswer('', `the blob to upload ${what}`)
}
