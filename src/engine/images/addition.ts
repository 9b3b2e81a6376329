import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { type ImageConfig, parseImageConfig } from '#oci/image-spec.ts'
import { type Reference, formatReference } from '#oci/reference.ts'
import type { LayerBlobRow, LayerRow, ManifestRow } from '#store/images.ts'
import type { BlobOptions, IngestOptions, Layer, LayerBlob } from '#store/snapshots/snapshots.ts'
import { invalidImage } from './errors.ts'
import type { ImageStore } from './image-store.ts'

/** An image whose layers are in the store. */
export interface NewImage {
  /** The exact bytes: their digest is the id. */
  readonly config: Uint8Array
  readonly parentId?: Digest | undefined
  /** Each has a tag or a digest; the image takes them from whichever image has them. */
  readonly references?: readonly Reference[] | undefined
  /** The manifest or index that the references were fetched or loaded as; one of `manifests`. */
  readonly target?: Digest | undefined
  /** Where its layers were found. */
  readonly layerBlobs?: readonly LayerBlobRow[] | undefined
  /** What it came with: its manifest, the index that led to it, attestations with their configs and statements. */
  readonly manifests?: readonly { readonly bytes: Uint8Array; readonly mediaType: string }[] | undefined
}

export interface AddedImage {
  readonly id: Digest
  readonly config: ImageConfig
  readonly labels: Readonly<Record<string, string>> | undefined
  readonly references: readonly Reference[]
  /** References that were another image's before. */
  readonly taken: readonly { readonly reference: Reference; readonly from: Digest }[]
}

/**
 * One operation that adds layers and then images. Disposing it without commit() leaves nothing behind: layers and
 * blobs that no image came to need are removed.
 *
 *     await using addition = await store.add()
 *     const layer = await addition.ingest(tar, { signal })
 *     const [image] = await addition.commit([{ config, references }], { signal })
 */
export class Addition implements AsyncDisposable {
  readonly #store: ImageStore
  readonly #held: AsyncDisposable
  readonly #layers = new Set<Digest>()
  readonly #blobs = new Set<Digest>()

  constructor(store: ImageStore, held: AsyncDisposable) {
    this.#store = store
    this.#held = held
  }

  /** Stores a layer (an uncompressed tar) for an image of this operation. */
  async ingest(tar: AsyncIterable<Uint8Array>, options: IngestOptions = {}): Promise<Layer> {
    const layer = await this.#store.deps.snapshots.ingest(tar, options)
    this.#layers.add(layer.diffId)
    return layer
  }

  /** The same for a compressed blob that may still be growing, where the store has threads for that. */
  async ingestBlob(blob: LayerBlob, options: BlobOptions): Promise<Layer | undefined> {
    const layer = await this.#store.deps.snapshots.ingestBlob?.(blob, options)
    if (layer !== undefined) this.#layers.add(layer.diffId)
    return layer
  }

  /** Makes images and their names visible, all together and durably. */
  async commit(
    images: readonly NewImage[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<AddedImage[]> {
    const prepared: Prepared[] = []
    for (const image of images) prepared.push(await this.#prepare(image))
    options.signal?.throwIfAborted()

    // Point of no return: names become visible, after everything they lead to is on disk.
    const { db } = this.#store.deps
    const added = db.transaction(() => prepared.map((image) => this.#insert(image)))
    await db.durable()
    return added
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // While it is held nothing is removed, so this only marks them; what has become part of an image stays.
    await this.#store.collector.discard({ layers: this.#layers, blobs: this.#blobs })
    await this.#held[Symbol.asyncDispose]()
  }

  async #prepare(image: NewImage): Promise<Prepared> {
    const { snapshots } = this.#store.deps
    const config = parseImageConfig(image.config)
    const layers: LayerRow[] = []
    for (const diffId of config.rootfs.diff_ids) {
      const layer = await snapshots.layer(diffId)
      if (layer === undefined) throw invalidImage(`layer ${diffId} of the image is missing`)
      layers.push({ diffId, size: layer.size })
    }
    for (const { tag, digest } of image.references ?? []) {
      if ((tag === undefined) === (digest === undefined)) {
        throw new EngineError('internal', 'an image is named by a tag or a digest', {
          code: 'REFERENCE_KIND',
        })
      }
    }
    const id = await this.#write(image.config)
    const manifests: ManifestRow[] = []
    for (const { bytes, mediaType } of image.manifests ?? []) {
      manifests.push({ digest: await this.#write(bytes), mediaType, size: bytes.length })
    }
    const { parentId, references = [], target, layerBlobs = [] } = image
    return { id, config, layers, manifests, parentId, references, target, layerBlobs }
  }

  async #write(bytes: Uint8Array): Promise<Digest> {
    const digest = await this.#store.deps.content.write(bytes)
    this.#blobs.add(digest)
    return digest
  }

  #insert(image: Prepared): AddedImage {
    const { id, config, layers, manifests, parentId, references, target, layerBlobs } = image
    const { rows, references: names, layerBlobs: blobs, deps } = this.#store
    const created = config.created ? Date.parse(config.created) : Number.NaN
    const labels = config.config?.Labels ?? undefined
    rows.put({ id, created: Number.isNaN(created) ? undefined : created, labels, parentId, layers })
    for (const manifest of manifests) rows.putManifest(id, manifest)
    for (const blob of layerBlobs) blobs.put(blob)

    const taken: { reference: Reference; from: Digest }[] = []
    for (const reference of references) {
      const from = names.put(formatReference(reference), id, deps.clock(), target)
      if (from !== undefined) taken.push({ reference, from })
    }
    return { id, config, labels, references, taken }
  }
}

interface Prepared {
  readonly id: Digest
  readonly config: ImageConfig
  readonly layers: readonly LayerRow[]
  readonly manifests: readonly ManifestRow[]
  readonly parentId: Digest | undefined
  readonly references: readonly Reference[]
  readonly target: Digest | undefined
  readonly layerBlobs: readonly LayerBlobRow[]
}
