import { digestOf, type Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { type Descriptor, type ImageConfig, mediaTypes } from '#oci/image-spec.ts'
import { hostPlatform, type Platform, platformDistance } from '#oci/platform.ts'
import { formatFamiliar, type Reference } from '#oci/reference.ts'
import type { AddedImage, Addition, NewImage } from '../images/addition.ts'
import type { ImageStore } from '../images/image-store.ts'
import { encodeJson, manifestOf } from '../images/manifest.ts'

/** An image as a build has made it; its layers are in the store. */
export interface BuiltImage {
  readonly platform: Platform
  readonly config: ImageConfig
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
  readonly documents: readonly BuiltDocument[]
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
  const isIndex = encoded.length > 1 || options.documents.some(({ descriptor }) => descriptor !== undefined)
  const index = isIndex ? indexOf(encoded, options) : undefined
  const planned = encoded.map((image): NewImage => {
    const own = image === preferred
    const common = {
      config: image.config,
      references: own ? options.references : [],
      ...(own && index !== undefined ? { target: index.descriptor.digest } : {}),
    }
    if (index === undefined) return common
    const documents = own ? options.documents : []
    return { ...common, manifests: [index, image.manifest, ...documents] }
  })
  const added = await addition.commit(planned, { signal: options.signal })
  for (const image of added) announce(store, image)
  const target = (index ?? preferred.manifest).descriptor
  return { id: digestOf(preferred.config), config: preferred.config, target }
}

interface EncodedImage {
  readonly platform: Platform
  readonly config: Uint8Array
  readonly manifest: Document
}

interface Document {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly descriptor: Descriptor
}

async function encode(store: ImageStore, { platform, config: document }: BuiltImage): Promise<EncodedImage> {
  const config = encodeJson(document)
  const layers = await Promise.all(
    document.rootfs.diff_ids.map(async (diffId) => {
      const layer = await store.deps.snapshots.layer(diffId)
      if (layer === undefined) throw lostLayer(diffId)
      return { diffId, size: layer.size }
    }),
  )
  const { bytes, descriptor } = manifestOf(config, layers)
  return { platform, config, manifest: { bytes, mediaType: descriptor.mediaType, descriptor } }
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

function indexOf(images: readonly EncodedImage[], { documents, annotations }: ImageOutputOptions): Document {
  const manifests = [
    ...images.map(({ platform, manifest }) => ({
      ...manifest.descriptor,
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
