import type { Digest } from '#base/digest.ts'
import { engineErrorOf } from '#base/errors.ts'
import {
  type Descriptor,
  type Index,
  type Manifest,
  isIndex,
  mediaTypes,
  parseManifestOrIndex,
} from '#oci/image-spec.ts'
import { parseAnyReference } from '#oci/reference.ts'
import type { ManifestRow } from '#store/images.ts'
import { type ImageStore, keyOf } from './image-store.ts'

/** A document as it was fetched or loaded: its bytes have the digest of the descriptor. */
export interface StoredDocument<T extends Manifest | Index> {
  readonly descriptor: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>
  readonly bytes: Uint8Array
  readonly document: T
}

export type StoredManifest = StoredDocument<Manifest>
export type StoredIndex = StoredDocument<Index>

/** An entry of an index, and the image that is here for it. */
export interface Variant {
  /** As the index has it. */
  readonly descriptor: Descriptor
  readonly kind: 'image' | 'attestation' | 'unknown'
  /** Undefined: that platform is not here, or it is no image. */
  readonly imageId: Digest | undefined
}

const indexTypes: readonly string[] = [mediaTypes.ociIndex, mediaTypes.dockerIndex]
const manifestTypes: readonly string[] = [mediaTypes.ociManifest, mediaTypes.dockerManifest]

/** What images came with, and which images are one for several platforms. */
export class ImageManifests {
  readonly #store: ImageStore

  constructor(store: ImageStore) {
    this.#store = store
  }

  /** What the user's text leads to beyond the image itself: the index or manifest of its name, or of any name. */
  target(ref: string): Digest | undefined {
    const { references } = this.#store
    const parsed = parseAnyReference(ref)
    if (parsed.kind === 'name') {
      const key = keyOf(parsed.reference)
      if (references.get(key) !== undefined) return references.target(key)
    }
    return this.targetOf(this.#store.lookup(ref))
  }

  /** Of the first of its names that has one; an image without names is only itself. */
  targetOf(imageId: Digest): Digest | undefined {
    const { references } = this.#store
    for (const name of references.of(imageId)) {
      const target = references.target(name)
      if (target !== undefined) return target
    }
    return this.ownRow(imageId)?.digest
  }

  /** The row of a document that this image came with. */
  row(imageId: Digest, digest: Digest | undefined): ManifestRow | undefined {
    return digest === undefined
      ? undefined
      : this.#store.rows.manifests(imageId).find((row) => row.digest === digest)
  }

  /** Whether this is an index that the image came with. */
  isIndex(imageId: Digest, digest: Digest): boolean {
    return indexTypes.includes(this.row(imageId, digest)?.mediaType ?? '')
  }

  /** The row of a manifest of one image; its bytes are not looked at. */
  ownRow(imageId: Digest): ManifestRow | undefined {
    return this.#store.rows.manifests(imageId).find(({ mediaType }) => manifestTypes.includes(mediaType))
  }

  /** The manifests of this very image, `preferred` first. Damaged ones are passed over. */
  async of(imageId: Digest, preferred?: Digest): Promise<StoredManifest[]> {
    const rows = this.#store.rows
      .manifests(imageId)
      .filter(({ mediaType }) => manifestTypes.includes(mediaType))
      .toSorted((a, b) => Number(b.digest === preferred) - Number(a.digest === preferred))
    const manifests: StoredManifest[] = []
    for (const row of rows) {
      const stored = await this.#read(row)
      if (stored === undefined || isIndex(stored.document)) continue
      if (stored.document.config.digest === imageId) manifests.push({ ...stored, document: stored.document })
    }
    return manifests
  }

  /** The index with this digest that `imageId` came with. */
  async index(imageId: Digest, digest: Digest | undefined): Promise<StoredIndex | undefined> {
    const row = this.row(imageId, digest)
    if (row === undefined || !indexTypes.includes(row.mediaType)) return undefined
    const stored = await this.#read(row)
    return stored !== undefined && isIndex(stored.document)
      ? { ...stored, document: stored.document }
      : undefined
  }

  /** The entries of an index in its order, each with the image that is here for it. */
  async variants(index: StoredIndex): Promise<Variant[]> {
    const here = new Map<Digest, Digest>()
    for (const id of this.#store.rows.withManifest(index.descriptor.digest)) {
      if (this.#store.rows.get(id) === undefined) continue
      for (const { descriptor } of await this.of(id)) here.set(descriptor.digest, id)
    }
    return index.document.manifests.map((descriptor) => {
      const kind = isAttestation(descriptor) ? 'attestation' : kindOf(descriptor)
      return { descriptor, kind, imageId: kind === 'image' ? here.get(descriptor.digest) : undefined }
    })
  }

  /** Bytes of a document that came with an image, if it is here and whole. */
  async bytes(digest: Digest): Promise<Uint8Array | undefined> {
    try {
      return await this.#store.deps.content.read(digest)
    } catch (error) {
      const kind = engineErrorOf(error)?.kind
      if (kind === 'data_loss' || kind === 'not_found') return undefined
      throw error
    }
  }

  async #read(row: ManifestRow): Promise<StoredDocument<Manifest | Index> | undefined> {
    const bytes = await this.bytes(row.digest)
    if (bytes === undefined) return undefined
    const { digest, mediaType, size } = row
    const document = parseManifestOrIndex(bytes, { mediaType })
    return { descriptor: { mediaType, digest, size }, bytes, document }
  }
}

/** What BuildKit adds to an index about an image of it. */
export function isAttestation({ annotations }: Descriptor): boolean {
  return annotations?.['vnd.docker.reference.type'] === 'attestation-manifest'
}

/** The manifest that an attestation is about. */
export function subjectOf({ annotations }: Descriptor): string | undefined {
  return annotations?.['vnd.docker.reference.digest']
}

function kindOf({ mediaType, platform, artifactType }: Descriptor): Variant['kind'] {
  const isImage =
    manifestTypes.includes(mediaType) && artifactType === undefined && platform?.architecture !== 'unknown'
  return isImage ? 'image' : 'unknown'
}
