import { constants, writeSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { isHole } from '#os/holes.ts'

/** Enough for the kernel to work in large pieces. */
const BATCH = 1 << 20
/** So that the final sync finds most of the data on its way to the disk already. */
const SYNC_EVERY = 32 << 20

/**
 * Writes a new file sequentially: chunks are gathered into large writes, one of which is under way while the next is
 * filled. Chunks must not be changed after they were given. One of zeros alone is left out: the file has a hole there.
 */
export class FileSink implements AsyncDisposable {
  readonly #file: FileHandle
  readonly #direct: boolean
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  /** Where the next chunk goes. */
  #written = 0
  #synced = 0
  #endsInHole = false
  #writing: Promise<void> = Promise.resolve()
  #syncing: Promise<void> = Promise.resolve()

  private constructor(file: FileHandle, direct: boolean) {
    this.#file = file
    this.#direct = direct
  }

  /** `direct`: in a thread that has nothing else to do, chunks are written at once, while a processor still has them. */
  static async create(path: string, { direct = false } = {}): Promise<FileSink> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    return new FileSink(await open(path, flags, 0o600), direct)
  }

  /** A promise only when the disk is behind and the caller has to wait. */
  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#direct) return this.#writeNow(chunk)
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.length
    return this.#pendingBytes < BATCH ? undefined : this.#flush()
  }

  /** Resolves when every byte is on the disk. */
  async sync(): Promise<void> {
    await this.#flush()
    await this.#writing
    await this.#syncing
    if (this.#endsInHole) await this.#file.truncate(this.#written)
    await this.#file.datasync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#writing, this.#syncing])
    await this.#file.close()
  }

  #writeNow(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#skips(chunk)) return undefined
    for (let at = 0; at < chunk.length;) {
      const bytes = writeSync(this.#file.fd, chunk, at, undefined, this.#written)
      at += bytes
      this.#written += bytes
    }
    return this.#written - this.#synced >= SYNC_EVERY ? this.#startSync() : undefined
  }

  async #flush(): Promise<void> {
    await this.#writing
    const batch = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    if (batch.length === 0) return
    this.#writing = this.#writeAll(batch)
    // Whoever waits for it next gets the rejection; until then it is not unhandled.
    this.#writing.catch(ignoreHere)
    if (this.#written - this.#synced >= SYNC_EVERY) await this.#startSync()
  }

  async #startSync(): Promise<void> {
    await this.#syncing
    this.#synced = this.#written
    this.#syncing = this.#file.datasync()
    this.#syncing.catch(ignoreHere)
  }

  async #writeAll(batch: readonly Uint8Array[]): Promise<void> {
    let together: Uint8Array[] = []
    for (const chunk of batch) {
      if (isHole(chunk)) {
        await this.#writeTogether(together)
        together = []
        this.#skips(chunk)
      } else together.push(chunk)
    }
    await this.#writeTogether(together)
  }

  async #writeTogether(chunks: readonly Uint8Array[]): Promise<void> {
    let left = chunks
    while (left.length > 0) {
      const { bytesWritten } = await this.#file.writev(left.slice(0, 1024), this.#written)
      this.#written += bytesWritten
      this.#endsInHole = false
      left = withoutFirst(left, bytesWritten)
    }
  }

  #skips(chunk: Uint8Array): boolean {
    this.#endsInHole = isHole(chunk)
    if (this.#endsInHole) this.#written += chunk.length
    return this.#endsInHole
  }
}

/** What is left of `chunks` when so many bytes of them have been written. */
export function withoutFirst(chunks: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let skip = written
  for (let i = 0; i < chunks.length; i++) {
    const chunk = chunks[i]!
    if (skip < chunk.length) return [chunk.subarray(skip), ...chunks.slice(i + 1)]
    skip -= chunk.length
  }
  return []
}

function ignoreHere(): void {
  // The promise itself is kept and awaited by the next step.
}
