import type { ImageManifestSummary, OCIDescriptor } from '#api/generated/types.ts'
import type { Digest } from '#base/digest.ts'
import { type Descriptor, parseManifest } from '#oci/image-spec.ts'
import { type Platform, platformOf } from '#oci/platform.ts'
import type { LayerRow } from '#store/images.ts'
import { type ImageManifests, subjectOf, type Variant } from './image-manifests.ts'
import type { Image, ImageStore } from './image-store.ts'
import { manifestOf } from './manifest.ts'

/** `Descriptor` and `Manifests` of Docker's documents about images. */
export class ManifestSummaries {
  readonly #store: ImageStore
  readonly #manifests: ImageManifests

  constructor(store: ImageStore, manifests: ImageManifests) {
    this.#store = store
    this.#manifests = manifests
  }

  /** Of what the name leads to, of the manifest that the image came with, or of the one that save() would write. */
  async descriptor(image: Pick<Image, 'id' | 'layers'>, target: Digest | undefined): Promise<OCIDescriptor> {
    const stored = this.#manifests.row(image.id, target) ?? this.#manifests.ownRow(image.id)
    if (stored !== undefined) return { ...stored }
    const config = await this.#store.deps.content.read(image.id)
    const { mediaType, digest, size } = manifestOf(config, this.#layerRows(image.layers)).descriptor
    return { mediaType, digest, size }
  }

  /** One for each entry of the index that the name leads to; else the one of the image. */
  async summaries(image: Image, target: Digest | undefined): Promise<ImageManifestSummary[]> {
    const index = await this.#manifests.index(image.id, target)
    if (index === undefined) return [await this.#single(image, target)]
    const variants = await this.#manifests.variants(index)
    return Promise.all(variants.map((variant) => this.#variant(variant)))
  }

  async #single(image: Image, target: Digest | undefined): Promise<ImageManifestSummary> {
    const descriptor = await this.descriptor(image, target)
    return this.#imageSummary(descriptor, image, platformOf(image.config))
  }

  async #variant({ descriptor, kind, imageId }: Variant): Promise<ImageManifestSummary> {
    if (kind === 'attestation') return this.#attestation(descriptor)
    if (kind === 'image') {
      if (imageId === undefined) return absentImage(descriptor)
      const image = await this.#store.resolve(imageId)
      return this.#imageSummary(
        documentOf(descriptor),
        image,
        descriptor.platform ?? platformOf(image.config),
      )
    }
    const here = await this.#manifests.bytes(descriptor.digest)
    return { ...head(descriptor, here !== undefined, here?.length ?? 0), Kind: 'unknown' }
  }

  async #imageSummary(
    descriptor: OCIDescriptor,
    image: Image,
    platform: Platform,
  ): Promise<ImageManifestSummary> {
    const config = await this.#store.deps.content.read(image.id)
    const Content = config.length + (descriptor.size ?? 0)
    return {
      ID: descriptor.digest,
      Descriptor: descriptor,
      Available: true,
      Size: { Content, Total: Content + image.size },
      Kind: 'image',
      ImageData: {
        Platform: platformDocument(platform),
        Containers: this.#store.deps.inUse(image.id).map(({ id }) => id),
        Size: { Unpacked: image.size },
      },
    }
  }

  async #attestation(descriptor: Descriptor): Promise<ImageManifestSummary> {
    const bytes = await this.#manifests.bytes(descriptor.digest)
    let size = bytes?.length ?? 0
    let isWhole = bytes !== undefined
    const parts = bytes === undefined ? undefined : parseManifest(bytes)
    for (const { digest } of parts === undefined ? [] : [parts.config, ...parts.layers]) {
      const blob = await this.#manifests.bytes(digest)
      size += blob?.length ?? 0
      isWhole &&= blob !== undefined
    }
    return {
      ...head(descriptor, isWhole, size),
      Kind: 'attestation',
      AttestationData: { For: subjectOf(descriptor) ?? '' },
    }
  }

  #layerRows(diffIds: readonly Digest[]): LayerRow[] {
    const sizes = this.#store.layers.sizes()
    return diffIds.map((diffId) => ({ diffId, size: sizes.get(diffId) ?? 0 }))
  }
}

function head(
  descriptor: Descriptor,
  available: boolean,
  size: number,
): Pick<ImageManifestSummary, 'ID' | 'Descriptor' | 'Available' | 'Size'> {
  return {
    ID: descriptor.digest,
    Descriptor: documentOf(descriptor),
    Available: available,
    Size: { Content: size, Total: size },
  }
}

function absentImage(descriptor: Descriptor): ImageManifestSummary {
  return {
    ...head(descriptor, false, 0),
    Kind: 'image',
    ImageData: {
      Platform: descriptor.platform ? platformDocument(descriptor.platform) : {},
      Containers: [],
      Size: { Unpacked: 0 },
    },
  }
}

/** A descriptor as Docker shows it. */
export function documentOf(descriptor: Descriptor): OCIDescriptor {
  const { mediaType, digest, size, annotations, platform, artifactType } = descriptor
  return {
    mediaType,
    digest,
    size,
    ...(annotations ? { annotations: { ...annotations } } : {}),
    ...(platform ? { platform: platformDocument(platform) } : {}),
    ...(artifactType ? { artifactType } : {}),
  }
}

export function platformDocument(platform: Platform): NonNullable<OCIDescriptor['platform']> {
  const { architecture, os, variant } = platform
  const version = platform['os.version']
  return {
    architecture,
    os,
    ...(variant ? { variant } : {}),
    ...(version ? { 'os.version': version } : {}),
  }
}
