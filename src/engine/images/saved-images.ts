import { type Digest, digestOf } from '#base/digest.ts'
import { type Descriptor, type Index, mediaTypes, parseManifest } from '#oci/image-spec.ts'
import { formatPlatform, type Platform, platformDistance, platformOf } from '#oci/platform.ts'
import { parseReference, type Reference } from '#oci/reference.ts'
import type { LayerRow } from '#store/images.ts'
import { missingLayer, wrongPlatform } from './errors.ts'
import { type ImageManifests, type StoredIndex } from './image-manifests.ts'
import type { Image, ImageStore } from './image-store.ts'
import { encodeJson, manifestOf } from './manifest.ts'

/** One name, or an image without one, that is to be saved. */
export interface Selected {
  readonly imageId: Digest
  /** A normalised reference. */
  readonly name: string | undefined
}

/** An image with everything of it that goes into an archive. */
export interface SavedImage {
  readonly image: Image
  /** Names that lead to this very image. */
  readonly references: readonly Reference[]
  readonly config: Uint8Array
  readonly layers: readonly LayerRow[]
}

/** A document of an archive that an entry of index.json leads to. */
export interface SavedDocument {
  readonly digest: Digest
  readonly bytes: Uint8Array
}

/** An entry of index.json. */
export interface SavedRoot {
  readonly descriptor: Descriptor
  readonly references: readonly Reference[]
}

export interface Saved {
  readonly roots: readonly SavedRoot[]
  readonly images: readonly SavedImage[]
  readonly documents: readonly SavedDocument[]
}

interface Child {
  readonly imageId: Digest
  readonly descriptor: Descriptor
  readonly isOriginal: boolean
}

/**
 * Gathers what an archive of the selected names consists of. An index is saved with all its platforms that are here,
 * or those asked for. Manifests and indexes are the ones the images came with where the plain layers that we save have
 * the digests that they name; else they are written for the archive.
 */
export class SavedImages {
  readonly #store: ImageStore
  readonly #manifests: ImageManifests
  readonly #platforms: readonly Platform[]
  readonly #images = new Map<Digest, SavedImage & { readonly references: Reference[] }>()
  readonly #roots = new Map<Digest, SavedRoot & { readonly references: Reference[] }>()
  readonly #documents = new Map<Digest, Uint8Array>()

  constructor(store: ImageStore, manifests: ImageManifests, platforms: readonly Platform[]) {
    this.#store = store
    this.#manifests = manifests
    this.#platforms = platforms
  }

  /** Rejects with `not_found` for a platform that is not here, and `data_loss` for a layer that is not. */
  async add({ imageId, name }: Selected): Promise<void> {
    const target = name === undefined ? undefined : this.#store.references.target(name)
    const index = await this.#manifests.index(imageId, target)
    const children = await this.#children(imageId, index, target)
    const named = children.some((child) => child.imageId === imageId) ? imageId : children[0]?.imageId
    const descriptor = await this.#rootOf(index, children)
    if (name === undefined) return void this.#root(descriptor)
    const reference = parseReference(name)
    this.#root(descriptor).references.push(reference)
    if (named !== undefined) this.#images.get(named)?.references.push(reference)
  }

  finish(): Saved {
    const inOrder = <T extends { readonly references: readonly Reference[] }>(items: Iterable<T>): T[] =>
      [...items].map((item) => ({ ...item, references: unique(item.references) }))
    return {
      roots: inOrder(this.#roots.values()),
      images: inOrder(this.#images.values()),
      documents: [...this.#documents].map(([digest, bytes]) => ({ digest, bytes })),
    }
  }

  async #children(
    imageId: Digest,
    index: StoredIndex | undefined,
    target: Digest | undefined,
  ): Promise<Child[]> {
    const variants = index === undefined ? [] : await this.#manifests.variants(index)
    const here = variants.flatMap(({ imageId: id, descriptor }) =>
      id === undefined ? [] : [{ id, preferred: descriptor.digest, platform: descriptor.platform }],
    )
    const all = here.length > 0 ? here : [{ id: imageId, preferred: target, platform: undefined }]
    const children: Child[] = []
    const offered: string[] = []
    for (const { id, preferred, platform } of all) {
      const image = await this.#store.resolve(id)
      const own = platform ?? platformOf(image.config)
      offered.push(formatPlatform(own))
      if (!this.#isWanted(own)) continue
      children.push(await this.#child(image, preferred, own))
    }
    if (children.length > 0) return children
    const wanted = this.#platforms.map(formatPlatform).join(', ')
    throw wrongPlatform(this.#store.references.of(imageId)[0] ?? imageId, offered.join(', '), wanted)
  }

  #isWanted(platform: Platform): boolean {
    if (this.#platforms.length === 0) return true
    return this.#platforms.some((wanted) => platformDistance(wanted, platform) === 0)
  }

  async #child(image: Image, preferred: Digest | undefined, platform: Platform): Promise<Child> {
    const { config, layers } = await this.#image(image)
    const [original] = await this.#manifests.of(image.id, preferred)
    const isPlain =
      original?.document.layers.length === layers.length &&
      layers.every(({ diffId }, at) => original.document.layers[at]?.digest === diffId)
    const { bytes, descriptor } = original !== undefined && isPlain ? original : manifestOf(config, layers)
    this.#documents.set(descriptor.digest, bytes)
    return { imageId: image.id, descriptor: { ...descriptor, platform }, isOriginal: isPlain }
  }

  async #image(image: Image): Promise<SavedImage> {
    const known = this.#images.get(image.id)
    if (known !== undefined) return known
    const config = await this.#store.deps.content.read(image.id)
    const layers: LayerRow[] = []
    for (const diffId of image.layers) {
      const layer = await this.#store.deps.snapshots.layer(diffId)
      if (layer === undefined) throw missingLayer(diffId, image.id)
      layers.push({ diffId, size: layer.size })
    }
    const saved = { image, references: [], config, layers }
    this.#images.set(image.id, saved)
    return saved
  }

  async #rootOf(index: StoredIndex | undefined, children: readonly Child[]): Promise<Descriptor> {
    if (index !== undefined && children.every(({ isOriginal }) => isOriginal)) {
      await this.#attestations(index)
      this.#documents.set(index.descriptor.digest, index.bytes)
      return index.descriptor
    }
    const [first, second] = children
    if (first !== undefined && second === undefined) return first.descriptor
    const document: Index = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: children.map(({ descriptor }) => descriptor),
    }
    const bytes = encodeJson(document)
    const digest = digestOf(bytes)
    this.#documents.set(digest, bytes)
    return { mediaType: mediaTypes.ociIndex, digest, size: bytes.length }
  }

  async #attestations(index: StoredIndex): Promise<void> {
    for (const { descriptor, kind } of await this.#manifests.variants(index)) {
      if (kind !== 'attestation') continue
      const bytes = await this.#manifests.bytes(descriptor.digest)
      if (bytes === undefined) continue
      this.#documents.set(descriptor.digest, bytes)
      const { config, layers } = parseManifest(bytes)
      for (const { digest } of [config, ...layers]) {
        const part = await this.#manifests.bytes(digest)
        if (part !== undefined) this.#documents.set(digest, part)
      }
    }
  }

  #root(descriptor: Descriptor): SavedRoot & { readonly references: Reference[] } {
    const known = this.#roots.get(descriptor.digest) ?? { descriptor, references: [] }
    this.#roots.set(descriptor.digest, known)
    return known
  }
}

function unique(references: readonly Reference[]): Reference[] {
  const byText = new Map(references.map((reference) => [JSON.stringify(reference), reference]))
  return [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, reference]) => reference)
}
