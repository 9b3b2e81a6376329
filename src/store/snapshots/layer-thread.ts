/** A thread that unpacks layers while they come, one at a time: what it takes of processor and memory is not the engine's. */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { type Digest, digestFrom } from '#base/digest.ts'
import { engineErrorOf, type ErrorCode, type ErrorKind, messageOf } from '#base/errors.ts'
import { decompress } from '#oci/compression.ts'
import { indexObstacle } from '#oci/erofs/index-writer.ts'
import { wrongDigest } from '../content/errors.ts'
import { finishErofsLayer } from './erofs-layer.ts'
import { wrongDiffId } from './errors.ts'
import { type LayerRecord, rootOf } from './layer-record.ts'
import { stageTar } from './stage-tar.ts'

export interface LayerJob {
  /** A file that grows from its beginning. */
  readonly blob: string
  readonly digest: Digest
  readonly size: number
  /** The file to make. */
  readonly tar: string
  /** Whether an index is made beside it, when one can express the layer. */
  readonly index: boolean
  /** Uncompressed bytes. */
  readonly limit: number
  readonly expected: Digest | undefined
}

export type ToThread =
  | { readonly kind: 'job'; readonly job: LayerJob }
  /** So many bytes of the blob are there. */
  | { readonly kind: 'grown'; readonly prefix: number }

export type FromThread =
  | { readonly kind: 'progress'; readonly read: number }
  | { readonly kind: 'done'; readonly layer: UnpackedLayer }
  | { readonly kind: 'failed'; readonly error: ThreadError }

/** A tar that has been written, and an index when it has one. */
export interface UnpackedLayer {
  readonly diffId: Digest
  readonly size: number
  readonly root: Pick<LayerRecord, 'root' | 'opaqueRoot'>
  readonly indexed: Awaited<ReturnType<typeof finishErofsLayer>> | undefined
}

/** An error without its class, which does not get through. */
export interface ThreadError {
  readonly message: string
  readonly kind?: ErrorKind
  readonly code?: ErrorCode
  readonly details?: Readonly<Record<string, unknown>>
}

const READ_SIZE = 1 << 20
/** Small enough to stay in a processor's cache while it is hashed, parsed and written. */
const CHUNK = 256 << 10

/** Reads the blob as it grows, and hashes all of it. */
class BlobReader implements AsyncIterable<Uint8Array> {
  readonly #job: LayerJob
  readonly #hash = createHash('sha256')
  readonly #file: number
  #prefix = 0
  #at = 0
  #grown = Promise.withResolvers<void>()
  #reading: Promise<unknown> = Promise.resolve()

  constructor(job: LayerJob) {
    this.#job = job
    this.#file = openSync(job.blob, 'r')
  }

  grown(prefix: number): void {
    this.#prefix = prefix
    this.#grown.resolve()
    this.#grown = Promise.withResolvers<void>()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let bytes = await this.#next(); bytes !== undefined; bytes = await this.#next()) yield bytes
  }

  /** Reads what nobody has wanted: a decoder stops at the end of its stream, whatever follows. */
  async digest(): Promise<Digest> {
    while ((await this.#next()) !== undefined);
    return digestFrom(this.#hash)
  }

  close(): void {
    closeSync(this.#file)
  }

  #next(): Promise<Uint8Array | undefined> {
    const next = this.#reading.then(() => this.#read())
    this.#reading = next
    return next
  }

  async #read(): Promise<Uint8Array | undefined> {
    if (this.#at >= this.#job.size) return undefined
    while (this.#prefix <= this.#at) await this.#grown.promise
    const bytes = Buffer.allocUnsafeSlow(Math.min(this.#prefix - this.#at, READ_SIZE))
    const length = readSync(this.#file, bytes, 0, bytes.length, this.#at)
    if (length === 0) throw new Error(`${this.#job.blob} is shorter than it was said to be`)
    this.#hash.update(bytes.subarray(0, length))
    this.#at += length
    tell({ kind: 'progress', read: this.#at })
    return bytes.subarray(0, length)
  }
}

async function unpack(job: LayerJob, reader: BlobReader): Promise<UnpackedLayer> {
  const content = await stageTar(verified(job, reader), job.tar, { direct: true })
  const { diffId, size, tree } = content
  if (job.expected !== undefined && diffId !== job.expected) throw wrongDiffId(job.expected, diffId)
  const withIndex = job.index && indexObstacle(tree, size) === undefined
  const indexed = withIndex ? await finishErofsLayer(dirname(job.tar), content) : undefined
  return { diffId, size, root: rootOf(tree), indexed }
}

/** Ends only when every compressed byte has been hashed and has the digest that was asked for. */
async function* verified(job: LayerJob, reader: BlobReader): AsyncGenerator<Uint8Array> {
  yield* decompress(reader, { limit: job.limit, chunk: CHUNK })
  const actual = await reader.digest()
  if (actual !== job.digest) throw wrongDigest(job.digest, actual)
}

function errorOf(error: unknown): ThreadError {
  const { kind, code, details } = engineErrorOf(error) ?? {}
  const message = messageOf(error)
  if (kind === undefined || code === undefined) return { message }
  return { message, kind, code, details: details ?? {} }
}

function tell(message: FromThread): void {
  parentPort?.postMessage(message)
}

async function work(reader: BlobReader, job: LayerJob): Promise<void> {
  try {
    tell({ kind: 'done', layer: await unpack(job, reader) })
  } catch (error) {
    tell({ kind: 'failed', error: errorOf(error) })
  } finally {
    reader.close()
  }
}

let current: BlobReader | undefined
parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'grown') {
    current?.grown(message.prefix)
    return
  }
  try {
    current = new BlobReader(message.job)
    void work(current, message.job)
  } catch (error) {
    tell({ kind: 'failed', error: errorOf(error) })
  }
})
