import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '#base/clock.ts'
import { type Digest, digestOf } from '#base/digest.ts'
import {
  blobUnknown,
  digestMismatch,
  rangeOutside,
  uploadBusy,
  uploadTooLarge,
  uploadUnknown,
} from './errors.ts'
import type { BlobFacts, BlobStorage, Upload } from './storage.ts'

interface Stored {
  readonly bytes: Uint8Array
  touched: number
}

interface Receiving {
  bytes: Uint8Array
  touched: number
  held: boolean
}

/** Blobs in memory, for tests. */
export class MemoryBlobs implements BlobStorage {
  readonly #blobs = new Map<Digest, Stored>()
  readonly #uploads = new Map<string, Receiving>()
  readonly #clock: Clock

  constructor(deps: { readonly clock?: Clock } = {}) {
    this.#clock = deps.clock ?? systemClock
  }

  async recover(): Promise<void> {
    // Nothing outlives the process.
  }

  async stat(digest: Digest): Promise<BlobFacts | undefined> {
    const stored = this.#blobs.get(digest)
    return stored === undefined ? undefined : { size: stored.bytes.length, touched: stored.touched }
  }

  async read(
    digest: Digest,
    range?: { readonly offset: number; readonly end: number },
  ): Promise<AsyncIterable<Uint8Array>> {
    const stored = this.#blobs.get(digest)
    if (stored === undefined) throw blobUnknown(digest)
    const { length } = stored.bytes
    const { offset, end } = range ?? { offset: 0, end: length }
    if (offset < 0 || end > length || offset > end) throw rangeOutside(offset, end, length)
    return once(stored.bytes.subarray(offset, end))
  }

  async begin(): Promise<string> {
    const id = randomUUID()
    this.#uploads.set(id, { bytes: new Uint8Array(), touched: this.#now(), held: false })
    return id
  }

  async upload(id: string): Promise<Upload> {
    const receiving = this.#uploads.get(id)
    if (receiving === undefined) throw uploadUnknown(id)
    if (receiving.held) throw uploadBusy(id)
    receiving.held = true
    return this.#hold(id, receiving)
  }

  async *uploads(): AsyncGenerator<{ readonly id: string; readonly size: number; readonly touched: number }> {
    for (const [id, { bytes, touched }] of this.#uploads) yield { id, size: bytes.length, touched }
  }

  async *blobs(): AsyncGenerator<{ readonly digest: Digest } & BlobFacts> {
    for (const [digest, { bytes, touched }] of this.#blobs) yield { digest, size: bytes.length, touched }
  }

  async remove(digest: Digest, unlessSince?: number): Promise<boolean> {
    const stored = this.#blobs.get(digest)
    if (stored !== undefined && unlessSince !== undefined && stored.touched >= unlessSince) return false
    this.#blobs.delete(digest)
    return true
  }

  async touch(digest: Digest): Promise<void> {
    const stored = this.#blobs.get(digest)
    if (stored === undefined) throw blobUnknown(digest)
    stored.touched = this.#now()
  }

  #hold(id: string, receiving: Receiving): Upload {
    return {
      id,
      get size() {
        return receiving.bytes.length
      },
      append: async (chunks, { limit }) => {
        for await (const chunk of chunks) {
          if (receiving.bytes.length + chunk.length > limit) throw uploadTooLarge(limit)
          receiving.bytes = Buffer.concat([receiving.bytes, chunk])
          receiving.touched = this.#now()
        }
        return receiving.bytes.length
      },
      commit: async (digest) => this.#commit(id, receiving, digest),
      cancel: async () => void this.#uploads.delete(id),
      [Symbol.asyncDispose]: async () => {
        receiving.held = false
      },
    }
  }

  #commit(id: string, { bytes }: Receiving, digest: Digest): BlobFacts {
    const received = digestOf(bytes)
    if (received !== digest) throw digestMismatch(digest, received)
    const touched = this.#now()
    this.#blobs.set(digest, { bytes, touched })
    this.#uploads.delete(id)
    return { size: bytes.length, touched }
  }

  #now(): number {
    return this.#clock.now().getTime()
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}
