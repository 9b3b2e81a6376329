import type { Digest } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { blobUnknown } from '../storage/errors.ts'
import type { FetchedBlob } from '../hooks.ts'
import type { RegistryRequest } from '../http/route.ts'
import type { ContentDeps } from './deps.ts'
import { blobInUse } from './errors.ts'

/** Blobs as repositories have them: what is not linked in a repository is not there. */
export class Blobs {
  readonly #deps: ContentDeps

  constructor(deps: ContentDeps) {
    this.#deps = deps
  }

  /** Throws BLOB_UNKNOWN. */
  async open(repository: string, digest: Digest, request: RegistryRequest): Promise<FetchedBlob> {
    const { blobs, hooks } = this.#deps
    const size = await this.#size(repository, digest)
    if (size !== undefined) return { size, read: (range) => blobs.read(digest, range) }
    const fetched = await hooks.missingBlob?.(repository, digest, { signal: request.signal })
    if (fetched === undefined) throw blobUnknown(digest)
    return fetched
  }

  /** For HEAD, by which pushes find out what they need not send: collection leaves the blob to them. */
  async check(repository: string, digest: Digest, request: RegistryRequest): Promise<number> {
    const { blobs, catalogue, clock } = this.#deps
    const size = await this.#size(repository, digest)
    if (size === undefined) return (await this.open(repository, digest, request)).size
    try {
      await blobs.touch(digest)
    } catch (error) {
      if (isKind(error, 'not_found')) throw blobUnknown(digest)
      throw error
    }
    // Collection may have taken the link since it was read.
    if (!catalogue.links.touch(repository, digest, clock.now().getTime())) throw blobUnknown(digest)
    return size
  }

  /** The link: the file goes when nobody holds it any more and garbage is collected. */
  async remove(repository: string, digest: Digest): Promise<void> {
    const { catalogue } = this.#deps
    const result = catalogue.links.remove(repository, digest)
    if (result === 'absent') throw blobUnknown(digest)
    const manifest = catalogue.links.neededBy(repository, digest)
    if (result === 'in use' && manifest !== undefined) throw blobInUse(digest, manifest)
    await catalogue.durable()
  }

  /** Undefined as well when the file is gone or cut: a push will bring it again. */
  async #size(repository: string, digest: Digest): Promise<number | undefined> {
    const { catalogue, blobs, logger } = this.#deps
    const link = catalogue.links.get(repository, digest)
    if (link === undefined) return undefined
    const facts = await blobs.stat(digest)
    if (facts?.size === link.size) return link.size
    logger.error('blob is damaged', { repository, digest, size: facts?.size, expected: link.size })
    return undefined
  }
}
