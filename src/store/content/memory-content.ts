import { type Digest, digestOf } from '#base/digest.ts'
import type { Content } from './content.ts'
import { damagedBlob, noSuchBlob, wrongDigest } from './errors.ts'

/** Content for tests: the same promises without a disk. */
export class MemoryContent implements Content {
  readonly #blobs = new Map<Digest, Uint8Array>()

  async write(bytes: Uint8Array, options: { readonly expected?: Digest | undefined } = {}): Promise<Digest> {
    const digest = digestOf(bytes)
    if (options.expected !== undefined && options.expected !== digest)
      throw wrongDigest(options.expected, digest)
    this.#blobs.set(digest, bytes.slice())
    return digest
  }

  async read(digest: Digest): Promise<Uint8Array> {
    const bytes = this.#blobs.get(digest)
    if (bytes === undefined) throw noSuchBlob(digest)
    if (digestOf(bytes) !== digest) throw damagedBlob(digest)
    return bytes.slice()
  }

  async has(digest: Digest): Promise<boolean> {
    return this.#blobs.has(digest)
  }

  async *list(): AsyncGenerator<{ readonly digest: Digest; readonly size: number }> {
    for (const [digest, bytes] of this.#blobs) yield { digest, size: bytes.length }
  }

  async space(): Promise<number> {
    return 0
  }

  async remove(digest: Digest): Promise<void> {
    this.#blobs.delete(digest)
  }

  /** Damages a blob, as a failing disk would. */
  corrupt(digest: Digest, bytes: Uint8Array): void {
    this.#blobs.set(digest, bytes)
  }
}
