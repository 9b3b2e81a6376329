import type { Digest } from '#base/digest.ts'
import type { Logger } from '#base/logger.ts'
import type { Content } from '#store/content/content.ts'
import type { Database } from '#store/db.ts'
import type { ImageRows, LayerRows } from '#store/images.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'

export interface CollectorDeps {
  readonly db: Database
  readonly images: ImageRows
  readonly layers: LayerRows
  readonly content: Content
  readonly snapshots: Snapshots
  readonly logger: Logger
}

/**
 * Removes layers and blobs that no row needs. Something new is on disk before its row is, so nothing is removed while
 * an operation that adds is under way; what it would have removed waits for the end of the last one. Builds, which take
 * longer, keep just the layers that they have.
 */
export class Collector {
  readonly #deps: CollectorDeps
  readonly #layers = new Set<Digest>()
  readonly #blobs = new Set<Digest>()
  readonly #pinned = new Map<Digest, number>()
  #adding = 0
  #sweep: Promise<void> | undefined

  constructor(deps: CollectorDeps) {
    this.#deps = deps
  }

  /** Operations that add are under way, or builds: what no row knows may be theirs. */
  get isHeld(): boolean {
    return this.#adding > 0 || this.#pinned.size > 0
  }

  /** Holds removals back until it is disposed; disposing waits for the removals that were due. */
  async hold(): Promise<AsyncDisposable> {
    while (this.#sweep !== undefined) await this.#sweep
    this.#adding++
    return {
      [Symbol.asyncDispose]: async () => {
        this.#adding--
        await this.#run()
      },
    }
  }

  /**
   * Keeps these layers, also those without a row, until it is disposed; others go meanwhile. What is being removed already is
   * gone when this resolves: whether they are there is to be asked afterwards.
   */
  async pin(layers: Iterable<Digest>): Promise<AsyncDisposable> {
    const pinned = [...layers]
    while (this.#sweep !== undefined) await this.#sweep
    for (const layer of pinned) this.#pinned.set(layer, (this.#pinned.get(layer) ?? 0) + 1)
    return {
      [Symbol.asyncDispose]: async () => {
        for (const layer of pinned) {
          const left = (this.#pinned.get(layer) ?? 1) - 1
          if (left > 0) this.#pinned.set(layer, left)
          else this.#pinned.delete(layer)
        }
        await this.#run()
      },
    }
  }

  /** These may have become garbage; resolves when they are gone, or at once while operations that add are running. */
  async discard(garbage: {
    readonly layers?: Iterable<Digest>
    readonly blobs?: Iterable<Digest>
  }): Promise<void> {
    for (const diffId of garbage.layers ?? []) this.#layers.add(diffId)
    for (const digest of garbage.blobs ?? []) this.#blobs.add(digest)
    await this.#run()
  }

  /** Images that were kept for a container go when it has gone. */
  async releaseHidden(): Promise<void> {
    const { db, images } = this.#deps
    const layers: Digest[] = []
    const blobs: Digest[] = []
    for (const id of images.hidden()) {
      const manifests = images.manifests(id)
      const freed = db.transaction(() => images.remove(id), { urgent: true })
      if (freed === undefined) continue
      layers.push(...freed)
      blobs.push(id, ...manifests.map(({ digest }) => digest))
    }
    if (blobs.length > 0) await this.discard({ layers, blobs })
  }

  /** Everything on disk is looked at: for the start of the daemon, and for repairs. */
  async collectAll(): Promise<void> {
    const { images, snapshots, content } = this.#deps
    await this.releaseHidden()
    const layers: Digest[] = images.removeUnusedLayers()
    for await (const { diffId } of snapshots.layers()) layers.push(diffId)
    const blobs: Digest[] = []
    for await (const { digest } of content.list()) blobs.push(digest)
    await this.discard({ layers, blobs })
  }

  async #run(): Promise<void> {
    while (this.#sweep !== undefined) await this.#sweep
    if (this.#adding > 0 || this.#layers.size + this.#blobs.size === 0) return
    this.#sweep = this.#remove()
    try {
      await this.#sweep
    } finally {
      this.#sweep = undefined
    }
  }

  async #remove(): Promise<void> {
    const { db, layers, content, snapshots } = this.#deps
    // Never a row without its files: the rows must be gone for good first.
    await db.durable()
    // More may be discarded meanwhile: whoever does runs this again.
    await Promise.all([
      ...[...this.#layers].map(async (diffId) => {
        const remove = (): Promise<void> => snapshots.removeLayer(diffId)
        if (this.#pinned.has(diffId)) return
        if (layers.has(diffId) || (await this.#attempt('layer', diffId, remove))) this.#layers.delete(diffId)
      }),
      ...[...this.#blobs].map(async (digest) => {
        const remove = (): Promise<void> => content.remove(digest)
        if (layers.needsBlob(digest) || (await this.#attempt('blob', digest, remove)))
          this.#blobs.delete(digest)
      }),
    ])
  }

  /** What cannot be removed now is tried again with the next removal, and at the next start. */
  async #attempt(what: string, digest: Digest, remove: () => Promise<void>): Promise<boolean> {
    try {
      await remove()
      return true
    } catch (error) {
      this.#deps.logger.warn(`cannot remove ${what}`, { digest, error })
      return false
    }
  }
}
