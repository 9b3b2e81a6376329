import { createHash, type Hash } from 'node:crypto'
import { rm, type FileHandle } from 'node:fs/promises'
import { type Digest, digestFrom } from '#base/digest.ts'
import { isErrno } from '#base/errors.ts'
import { digestMismatch, storageFull, uploadTooLarge } from './errors.ts'
import type { BlobFacts, Upload } from './storage.ts'

/** Bytes gathered before they are written with one call, while the next ones come in. */
const BATCH = 1 << 20

/** The hash of the first `size` bytes of an upload, kept between requests so that nothing is read twice. */
export interface RunningHash {
  readonly hash: Hash
  readonly size: number
}

export interface FileUploadDeps {
  readonly id: string
  readonly path: string
  readonly file: FileHandle
  readonly size: number
  /** Absent after a restart: what is there is then read once more. */
  readonly running: RunningHash | undefined
  /** Moves the durable file to its place as a blob. */
  readonly publish: (digest: Digest, size: number) => Promise<BlobFacts>
  /** Called once, when this holder lets go; without a hash when the upload is gone or its hash is not known. */
  readonly release: (running: RunningHash | undefined) => void
}

/** An upload that one request holds: bytes are appended to its file, and hashed on the way. */
export class FileUpload implements Upload {
  readonly id: string
  readonly #deps: FileUploadDeps
  readonly #file: FileHandle
  #hash: Hash | undefined
  #size: number
  #closed = false
  #gone = false

  constructor(deps: FileUploadDeps) {
    this.id = deps.id
    this.#deps = deps
    this.#file = deps.file
    this.#size = deps.size
    // The file may have another length than the hash knows of: a write that failed half way.
    this.#hash = deps.running?.size === deps.size ? deps.running.hash : undefined
  }

  get size(): number {
    return this.#size
  }

  async append(chunks: AsyncIterable<Uint8Array>, { limit }: { readonly limit: number }): Promise<number> {
    const hash = await this.#hashed()
    const writer = new BatchWriter(this.#file, this.#size)
    try {
      try {
        for await (const chunk of chunks) {
          if (writer.end + chunk.length > limit) throw uploadTooLarge(limit)
          hash.update(chunk)
          await writer.add(chunk)
        }
      } finally {
        // Whoever was cut off continues after what came.
        await writer.finish()
        this.#size = writer.end
      }
    } catch (error) {
      if (writer.failed) await this.#forgetHash()
      throw isErrno(error, 'ENOSPC', 'EDQUOT') ? storageFull(this.#deps.path, error) : error
    }
    return this.#size
  }

  async commit(digest: Digest): Promise<BlobFacts> {
    const hash = await this.#hashed()
    const received = digestFrom(hash.copy())
    if (received !== digest) throw digestMismatch(digest, received)
    await this.#file.datasync()
    const facts = await this.#deps.publish(digest, this.#size)
    this.#gone = true
    return facts
  }

  async cancel(): Promise<void> {
    await rm(this.#deps.path, { force: true })
    this.#gone = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    try {
      await this.#file.close()
    } finally {
      const known = !this.#gone && this.#hash !== undefined
      this.#deps.release(known ? { hash: this.#hash as Hash, size: this.#size } : undefined)
    }
  }

  async #hashed(): Promise<Hash> {
    this.#hash ??= await hashOf(this.#file, this.#size)
    return this.#hash
  }

  async #forgetHash(): Promise<void> {
    this.#hash = undefined
    this.#size = (await this.#file.stat()).size
  }
}

/** Writes what is gathered while the next bytes are awaited; at most two batches are in memory. */
class BatchWriter {
  readonly #file: FileHandle
  #position: number
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  #writing: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | undefined

  constructor(file: FileHandle, position: number) {
    this.#file = file
    this.#position = position
  }

  /** Where the next byte goes. */
  get end(): number {
    return this.#position + this.#pendingBytes
  }

  get failed(): boolean {
    return this.#failure !== undefined
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.length
    if (this.#pendingBytes >= BATCH) await this.#flush()
  }

  async finish(): Promise<void> {
    if (this.#pendingBytes > 0) await this.#flush()
    await this.#settled()
  }

  async #flush(): Promise<void> {
    await this.#settled()
    const batch = this.#pending
    const position = this.#position
    this.#position += this.#pendingBytes
    this.#pending = []
    this.#pendingBytes = 0
    this.#writing = writeAll(this.#file, batch, position).catch((error: unknown) => {
      this.#failure = { error }
    })
  }

  async #settled(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure.error
  }
}

async function writeAll(file: FileHandle, batch: readonly Uint8Array[], position: number): Promise<void> {
  const total = batch.reduce((sum, { length }) => sum + length, 0)
  const { bytesWritten } = await file.writev(batch, position)
  if (bytesWritten === total) return
  // A short write happens when a disk fills up; the rest tells how it goes on.
  const rest = Buffer.concat(batch).subarray(bytesWritten)
  await file.write(rest, 0, rest.length, position + bytesWritten)
}

async function hashOf(file: FileHandle, size: number): Promise<Hash> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(Math.min(BATCH, Math.max(size, 1)))
  for (let position = 0; position < size;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - position), position)
    if (bytesRead === 0) break
    hash.update(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
  return hash
}
