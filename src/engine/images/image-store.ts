/**
 * Images as the engine sees them: rows, config blobs and layers brought together. Adding one goes through an
 * addition, which makes everything visible at its end or leaves nothing behind.
 */
import type { Digest } from '#base/digest.ts'
import type { Logger } from '#base/logger.ts'
import type { ExpansionLimits } from '#oci/expansion.ts'
import type { ImageConfig } from '#oci/image-spec.ts'
import { parseImageConfig } from '#oci/image-spec.ts'
import { formatReference, parseAnyReference, type Reference, withDefaultTag } from '#oci/reference.ts'
import type { Content } from '#store/content/content.ts'
import type { Database } from '#store/db.ts'
import { type ImageRow, ImageRows, LayerBlobRows, LayerRows, ReferenceRows } from '#store/images.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import { Addition } from './addition.ts'
import { Collector } from './collector.ts'
import { noSuchImage } from './errors.ts'
import { ImageEvents, type EventPublisher } from './events.ts'

export interface ImageDeps {
  readonly db: Database
  readonly content: Content
  readonly snapshots: Snapshots
  readonly events: EventPublisher
  /** Containers made from an image. */
  readonly inUse: (imageId: Digest) => readonly ImageUser[]
  readonly logger: Logger
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** How much archives may grow when they are decompressed; the usual limits if not given. */
  readonly expansion?: ExpansionLimits | undefined
}

export interface ImageUser {
  readonly id: string
  readonly running: boolean
}

export interface Image extends ImageRow {
  readonly config: ImageConfig
  /** Diff ids, bottom first. */
  readonly layers: readonly Digest[]
}

/** Parsed configs that are kept; a host rarely uses more images at a time. */
const CACHED_CONFIGS = 256

export class ImageStore {
  readonly deps: ImageDeps
  readonly rows: ImageRows
  readonly references: ReferenceRows
  readonly layers: LayerRows
  readonly layerBlobs: LayerBlobRows
  readonly events: ImageEvents
  readonly collector: Collector
  readonly #configs = new Map<Digest, ImageConfig>()

  constructor(deps: ImageDeps) {
    this.deps = deps
    this.rows = new ImageRows(deps.db)
    this.references = new ReferenceRows(deps.db)
    this.layers = new LayerRows(deps.db)
    this.layerBlobs = new LayerBlobRows(deps.db)
    this.events = new ImageEvents(deps.events)
    this.collector = new Collector({ ...deps, images: this.rows, layers: this.layers })
  }

  /**
   * The id that a user's text leads to: a whole id; else a name (with its digest, if it has one, else its tag or
   * `latest`); else the beginning of an id that no other image shares. Throws `not_found`.
   */
  lookup(ref: string): Digest {
    const parsed = parseAnyReference(ref)
    if (parsed.kind === 'id') {
      if (this.rows.get(parsed.id) === undefined) throw noSuchImage(ref)
      return parsed.id
    }
    const named = this.references.get(keyOf(parsed.reference))
    if (named !== undefined) return named
    const prefix = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(ref)?.[1]
    const [found, another] = prefix === undefined ? [] : this.rows.search(prefix)
    if (found === undefined || another !== undefined) throw noSuchImage(ref)
    return found
  }

  /** The image that a user's text leads to. Rejects with `not_found`, or `data_loss` when its config is damaged. */
  async resolve(ref: string): Promise<Image> {
    const row = this.rows.get(this.lookup(ref))
    if (row === undefined) throw noSuchImage(ref)
    return { ...row, config: await this.config(row.id), layers: this.rows.layers(row.id) }
  }

  async config(id: Digest): Promise<ImageConfig> {
    const cached = this.#configs.get(id)
    const config = cached ?? parseImageConfig(await this.deps.content.read(id))
    // Set again: the map's order is that of use, and the first one goes.
    this.#configs.delete(id)
    this.#configs.set(id, config)
    if (this.#configs.size > CACHED_CONFIGS) {
      const [oldest] = this.#configs.keys()
      if (oldest !== undefined) this.#configs.delete(oldest)
    }
    return config
  }

  /** Begins to add images; nothing is removed from the store until it is disposed. */
  async add(): Promise<Addition> {
    return new Addition(this, await this.collector.hold())
  }
}

/** The name a reference is stored under. A digest says more than a tag: with both, the tag is ignored. */
export function keyOf(reference: Reference): string {
  const { digest } = reference
  return formatReference(digest === undefined ? withDefaultTag(reference) : { ...reference, tag: undefined })
}
