import type { FileHandle } from 'node:fs/promises'
import { EngineError } from '#base/errors.ts'

/**
 * Bytes per read: two buffers of this size stay in the processor's cache between the read and the write, which is
 * faster than fewer and larger ones.
 */
const CHUNK = 1 << 19

/** A part of an open file, for one reader, which closes it. */
export class FileRange implements AsyncIterable<Uint8Array> {
  readonly #file: FileHandle
  #position: number
  readonly #end: number

  /** `end` is exclusive. */
  constructor(file: FileHandle, offset: number, end: number) {
    this.#file = file
    this.#position = offset
    this.#end = end
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      while (this.#position < this.#end) yield await this.#read(Buffer.allocUnsafe(this.#length()))
    } finally {
      await this.#file.close()
    }
  }

  /** Hands out chunks whose memory is used again once `write` has resolved; the next one is read meanwhile. */
  async send(write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
    try {
      const buffers = [Buffer.allocUnsafe(this.#length()), Buffer.allocUnsafe(this.#length())] as const
      let chunk = this.#position < this.#end ? await this.#read(buffers[0]) : undefined
      for (let i = 1; chunk !== undefined; i++) {
        const free = buffers[i % 2] ?? buffers[0]
        const [, next] = await settled(
          write(chunk),
          this.#position < this.#end ? this.#read(free) : undefined,
        )
        chunk = next
      }
    } finally {
      await this.#file.close()
    }
  }

  #length(): number {
    return Math.min(CHUNK, this.#end - this.#position)
  }

  async #read(buffer: Buffer): Promise<Buffer> {
    const length = Math.min(buffer.length, this.#end - this.#position)
    const { bytesRead } = await this.#file.read(buffer, 0, length, this.#position)
    if (bytesRead === 0) {
      throw new EngineError('data_loss', 'a file became shorter while it was read', { code: 'BLOB_CUT' })
    }
    this.#position += bytesRead
    return buffer.subarray(0, bytesRead)
  }
}

/** Both results; a failure is thrown only when neither uses its buffer any more. */
async function settled<A, B>(a: Promise<A>, b: Promise<B> | undefined): Promise<readonly [A, B | undefined]> {
  const [first, second] = await Promise.allSettled([a, b])
  if (first.status === 'rejected') throw first.reason as Error
  if (second.status === 'rejected') throw second.reason as Error
  return [first.value, second.value]
}
