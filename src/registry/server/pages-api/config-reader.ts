import type { Digest } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { type ImageConfig, limits, parseImageConfig } from '#oci/image-spec.ts'
import { readWhole } from '../http/body.ts'
import type { BlobStorage } from '../storage/storage.ts'

/** Configs of images; what a digest names never changes, so the last ones are kept. */
export class ConfigReader {
  readonly #blobs: BlobStorage
  readonly #kept = new Map<Digest, ImageConfig | undefined>()

  constructor(blobs: BlobStorage) {
    this.#blobs = blobs
  }

  /** Undefined when it is not here, or is no config of an image. */
  async read(digest: Digest): Promise<ImageConfig | undefined> {
    if (this.#kept.has(digest)) return this.#kept.get(digest)
    const config = await this.#parse(digest)
    // Not what is missing: a cache may bring it.
    if (config !== undefined) this.#keep(digest, config)
    return config
  }

  async #parse(digest: Digest): Promise<ImageConfig | undefined> {
    try {
      return parseImageConfig(await readWhole(await this.#blobs.read(digest), limits.config))
    } catch (error) {
      if (isKind(error, 'not_found') || isKind(error, 'invalid_argument')) return undefined
      throw error
    }
  }

  #keep(digest: Digest, config: ImageConfig): void {
    const [oldest] = this.#kept.keys()
    if (this.#kept.size >= 200 && oldest !== undefined) this.#kept.delete(oldest)
    this.#kept.set(digest, config)
  }
}
