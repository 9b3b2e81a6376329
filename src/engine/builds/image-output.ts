import { digestOf, type Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { type Descriptor, type ImageConfig, mediaTypes } from '#oci/image-spec.ts'
import { hostPlatform, type Platform, platformDistance } from '#oci/platform.ts'
import { formatFamiliar, type Reference } from '#oci/reference.ts'
import type { AddedImage, Addition, NewImage } from '../images/addition.ts'
import { attestationDocuments, type Predicate } from './attestations/attestation.ts'
import { packageAddress } from './attestations/provenance.ts'
import type { ImageStore } from '../images/image-store.ts'
import { encodeJson, manifestOf } from '../images/manifest.ts'

/** An image as a build has made it; its layers are in the store. */
export interface BuiltImage {
  readonly platform: Platform
  readonly config: ImageConfig
  /** What is to be said about it; its index carries that. */
  readonly predicates?: readonly Predicate[] | undefined
  /** Of its manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined
  /** Of its entry in the index. */
  readonly descriptorAnnotations?: Readonly<Record<string, string>> | undefined
}

/** What else the index of an image describes: attestations, as manifests of their own. */
export interface BuiltDocument {
  readonly bytes: Uint8Array
  readonly mediaType: string
  /** In the index; undefined: only kept, such as the blob of a statement. */
  readonly descriptor: Descriptor | undefined
}

export interface WrittenImage {
  /** Of the image for this host, or the first. */
  readonly id: Digest
  readonly config: Uint8Array
  /** The manifest, or the index of several. */
  readonly target: Descriptor
}

export interface ImageOutputOptions {
  readonly references: readonly Reference[]
  /** `index:` annotations. */
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly signal: AbortSignal
}

/**
 * Puts what was built into the image store: one image, or those of several platforms under one index. All of it becomes
 * visible together, with its names, at the end.
 */
export async function writeImages(
  store: ImageStore,
  addition: Addition,
  images: readonly BuiltImage[],
  options: ImageOutputOptions,
): Promise<WrittenImage> {
  const encoded = await Promise.all(images.map((image) => encode(store, image)))
  const preferred = preferredOf(encoded)
  const documents = encoded.flatMap((image) => attestationsOf(image, options.references))
  const isIndex = encoded.length > 1 || documents.length > 0 || options.annotations !== undefined
  const index = isIndex ? indexOf(encoded, documents, options) : undefined
  const planned = encoded.map((image): NewImage => {
    const own = image === preferred
    const common = {
      config: image.config,
      references: own ? options.references : [],
      ...(own && index !== undefined ? { target: index.descriptor.digest } : {}),
    }
    if (index === undefined) return common
    return { ...common, manifests: [index, image.manifest, ...(own ? documents : [])] }
  })
  const added = await addition.commit(planned, { signal: options.signal })
  for (const image of added) announce(store, image)
  const target = (index ?? preferred.manifest).descriptor
  return { id: digestOf(preferred.config), config: preferred.config, target }
}

interface EncodedImage extends Omit<BuiltImage, 'config'> {
  readonly config: Uint8Array
  readonly manifest: Document
}

interface Document {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly descriptor: Descriptor
}

async function encode(store: ImageStore, image: BuiltImage): Promise<EncodedImage> {
  const config = encodeJson(image.config)
  const layers = await Promise.all(
    image.config.rootfs.diff_ids.map(async (diffId) => {
      const layer = await store.deps.snapshots.layer(diffId)
      if (layer === undefined) throw lostLayer(diffId)
      return { diffId, size: layer.size }
    }),
  )
  const { bytes, descriptor } = manifestOf(config, layers, image.annotations)
  return { ...image, config, manifest: { bytes, mediaType: descriptor.mediaType, descriptor } }
}

function attestationsOf(
  { platform, manifest, predicates = [] }: EncodedImage,
  references: readonly Reference[],
): readonly BuiltDocument[] {
  if (predicates.length === 0) return []
  const names = references.map((reference) => packageAddress(reference, platform))
  return attestationDocuments({ digest: manifest.descriptor.digest, names }, predicates)
}

/** The name leads to the image that runs here. */
function preferredOf(images: readonly EncodedImage[]): EncodedImage {
  const host = hostPlatform()
  const own = images.find(({ platform }) => platformDistance(host, platform) === 0) ?? images[0]
  if (own === undefined) {
    throw new EngineError('internal', 'the build has made no image', { code: 'BUILD_NO_IMAGE' })
  }
  return own
}

function indexOf(
  images: readonly EncodedImage[],
  documents: readonly BuiltDocument[],
  { annotations }: ImageOutputOptions,
): Document {
  const manifests = [
    ...images.map(({ platform, manifest, descriptorAnnotations }) => ({
      ...manifest.descriptor,
      ...(descriptorAnnotations === undefined ? {} : { annotations: descriptorAnnotations }),
      platform: shortPlatform(platform),
    })),
    ...documents.flatMap(({ descriptor }) => descriptor ?? []),
  ]
  const mediaType = mediaTypes.ociIndex
  const bytes = encodeJson({
    schemaVersion: 2,
    mediaType,
    manifests,
    ...(annotations === undefined ? {} : { annotations }),
  })
  return { bytes, mediaType, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } }
}

/** Without what is not said. */
function shortPlatform(platform: Platform): Platform {
  const { os, architecture, variant } = platform
  return variant === undefined ? { os, architecture } : { os, architecture, variant }
}

function announce(store: ImageStore, image: AddedImage): void {
  store.events.publish('create', image)
  for (const reference of image.references) store.events.publish('tag', image, formatFamiliar(reference))
}

function lostLayer(diffId: Digest): EngineError {
  return new EngineError('data_loss', `layer ${diffId} of the build is gone before the image was written`, {
    code: 'BUILD_IMAGE_LAYER_LOST',
  })
}
