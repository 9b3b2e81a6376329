import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '#base/digest.ts'
import { abortable } from '#base/mutex.ts'
import { storageError } from '../snapshots/errors.ts'
import { ByteRanges } from './byte-ranges.ts'
import { ingestEnded } from './errors.ts'
import type { ByteRange, Ingest } from './ingests.ts'
import { withoutFirst } from '../snapshots/file-sink.ts'
import { ProgressFile, readProgress } from './progress-file.ts'

/** Names inside a partial blob's directory. */
export const files = { data: 'data', progress: 'progress' } as const

/** Bytes that a crash may make us forget. */
const RECORD_EVERY = 128 << 10
const READ_SIZE = 1 << 20

interface Opened {
  readonly path: string
  readonly data: FileHandle
  readonly progress: ProgressFile
  readonly received: ByteRanges
  readonly onClosed: () => void
}

/** A partial blob that somebody has open. */
export class FileIngest implements Ingest {
  readonly digest: Digest
  readonly size: number
  readonly path: string
  readonly #path: string
  readonly #followers = new Set<(prefix: number) => void>()
  readonly #data: FileHandle
  readonly #onClosed: () => void
  readonly #received: ByteRanges
  readonly #unrecorded = new ByteRanges()
  #progress: ProgressFile
  #wake = Promise.withResolvers<void>()
  /** Changes when the bytes are thrown away: readers of the old ones must not go on. */
  #generation = 0
  #state: 'open' | 'removed' | 'closed' = 'open'

  private constructor(blob: { readonly digest: Digest; readonly size: number }, opened: Opened) {
    this.digest = blob.digest
    this.size = blob.size
    this.path = join(opened.path, files.data)
    this.#path = opened.path
    this.#data = opened.data
    this.#progress = opened.progress
    this.#received = opened.received
    this.#onClosed = opened.onClosed
  }

  static async open(
    path: string,
    blob: { readonly digest: Digest; readonly size: number },
    onClosed: () => void,
  ): Promise<FileIngest> {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await using acquired = new AsyncDisposableStack()
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
    const data = acquired.use(await open(join(path, files.data), flags, 0o600))
    const received = await receivedBefore(path, data, blob.size)
    const progress = acquired.use(
      await ProgressFile.create(join(path, files.progress), blob.size, received.list()),
    )
    acquired.move()
    return new FileIngest(blob, { path, data, progress, received, onClosed })
  }

  get received(): number {
    return this.#received.size
  }

  missing(): readonly ByteRange[] {
    return this.#received.missing(this.size)
  }

  async write(offset: number, ...pieces: readonly Uint8Array[]): Promise<void> {
    const generation = this.#generation
    try {
      const end = await writeAll(this.#data, offset, pieces)
      if (generation !== this.#generation) return
      const range = { offset, end }
      this.#received.add(range)
      this.#unrecorded.add(range)
      this.#notify()
      if (this.#unrecorded.size >= RECORD_EVERY) await this.#record()
    } catch (error) {
      throw storageError(error, this.#path)
    }
  }

  async *read(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncGenerator<Uint8Array> {
    const generation = this.#generation
    for (let at = 0; at < this.size;) {
      options.signal?.throwIfAborted()
      if (generation !== this.#generation || this.#state !== 'open') throw ingestEnded(this.digest)
      const length = Math.min(this.#received.prefix - at, READ_SIZE)
      if (length <= 0) {
        await abortable(this.#wake.promise, options.signal)
        continue
      }
      const buffer = Buffer.allocUnsafeSlow(length)
      const { bytesRead } = await this.#data.read(buffer, 0, length, at)
      if (bytesRead === 0 || generation !== this.#generation) throw ingestEnded(this.digest)
      yield buffer.subarray(0, bytesRead)
      at += bytesRead
    }
  }

  follow(onGrown: (prefix: number) => void): Disposable {
    this.#followers.add(onGrown)
    onGrown(this.#received.prefix)
    return { [Symbol.dispose]: () => void this.#followers.delete(onGrown) }
  }

  async reset(): Promise<void> {
    this.#generation++
    this.#received.clear()
    this.#unrecorded.clear()
    await this.#progress[Symbol.asyncDispose]()
    this.#progress = await ProgressFile.create(join(this.#path, files.progress), this.size, [])
    await this.#data.truncate(0)
    this.#notify()
  }

  async remove(): Promise<void> {
    this.#state = 'removed'
    this.#notify()
    await rm(this.#path, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'closed') return
    const isGone = this.#state === 'removed'
    this.#state = 'closed'
    this.#notify()
    try {
      if (!isGone) await this.#record()
    } finally {
      await this.#progress[Symbol.asyncDispose]()
      await this.#data.close()
      if (!isGone && this.received === 0) await rm(this.#path, { recursive: true, force: true })
      this.#onClosed()
    }
  }

  async #record(): Promise<void> {
    const ranges = this.#unrecorded.list()
    this.#unrecorded.clear()
    if (ranges.length > 0) await this.#progress.append(ranges)
  }

  #notify(): void {
    for (const onGrown of this.#followers) onGrown(this.#received.prefix)
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }
}

/** Returns where the last piece ends. */
async function writeAll(file: FileHandle, offset: number, pieces: readonly Uint8Array[]): Promise<number> {
  let at = offset
  for (let left = pieces; left.length > 0;) {
    const { bytesWritten } = await file.writev(left, at)
    at += bytesWritten
    left = withoutFirst(left, bytesWritten)
  }
  return at
}

/** What was recorded, as far as the file has it; nothing when it was another blob's size. */
async function receivedBefore(path: string, data: FileHandle, size: number): Promise<ByteRanges> {
  const progress = await readProgress(join(path, files.progress))
  const { size: length } = await data.stat()
  const received = new ByteRanges()
  if (progress?.size !== size) {
    await data.truncate(0)
    return received
  }
  for (const { offset, end } of progress.ranges.list()) received.add({ offset, end: Math.min(end, length) })
  return received
}
