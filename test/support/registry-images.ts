/** Images as registries have them: documents and blobs by digest, made for a test. */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { type Digest, digestOf } from '#base/digest.ts'
import { type Descriptor, mediaTypes } from '#oci/image-spec.ts'
import { hostPlatform, type Platform } from '#oci/platform.ts'

export interface RegistryImage {
  /** Uncompressed tars, bottom first. */
  readonly layers: readonly Uint8Array[]
  readonly compress?: ((tar: Uint8Array) => Uint8Array) | undefined
  readonly layerType?: string
  readonly config?: object
  readonly platform?: Platform
  /** Replaces what the config says about its layers. */
  readonly diffIds?: readonly Digest[]
  /** Fields that are put over those of the manifest. */
  readonly manifest?: object
}

/** What a registry holds for one repository. */
export class RegistryContents {
  readonly blobs = new Map<Digest, Uint8Array>()
  readonly manifests = new Map<Digest, { readonly bytes: Uint8Array; readonly mediaType: string }>()
  readonly tags = new Map<string, Digest>()

  /** Adds an image, and a tag when there is one. */
  image(image: RegistryImage, tag?: string): Descriptor & { readonly layers: readonly Descriptor[] } {
    const { layers, compress = (tar) => gzipSync(tar, { level: 1 }), platform = hostPlatform() } = image
    const descriptors = layers.map((tar) =>
      this.blob(compress(tar), image.layerType ?? mediaTypes.ociLayerGzip),
    )
    const config = Buffer.from(
      JSON.stringify({
        architecture: platform.architecture,
        os: platform.os,
        ...(platform.variant === undefined ? {} : { variant: platform.variant }),
        config: image.config ?? {},
        rootfs: { type: 'layers', diff_ids: image.diffIds ?? layers.map(digestOf) },
      }),
    )
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: this.blob(config, mediaTypes.ociConfig),
      layers: descriptors,
      ...image.manifest,
    }
    return { ...this.document(manifest, mediaTypes.ociManifest, tag), platform, layers: descriptors }
  }

  index(manifests: readonly Descriptor[], tag?: string): Descriptor {
    const entries = manifests.map(({ mediaType, digest, size, platform, annotations }) => ({
      mediaType,
      digest,
      size,
      ...(platform ? { platform } : {}),
      ...(annotations ? { annotations } : {}),
    }))
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries }
    return this.document(index, mediaTypes.ociIndex, tag)
  }

  blob(bytes: Uint8Array, mediaType: string): Descriptor {
    const digest = digestOf(bytes)
    this.blobs.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }

  document(document: object, mediaType: string, tag?: string): Descriptor {
    const bytes = Buffer.from(JSON.stringify(document))
    const digest = digestOf(bytes)
    this.manifests.set(digest, { bytes, mediaType })
    if (tag !== undefined) this.tags.set(tag, digest)
    return { mediaType, digest, size: bytes.length }
  }

  find(name: string): Digest | undefined {
    return this.tags.get(name) ?? (this.manifests.has(name as Digest) ? (name as Digest) : undefined)
  }
}

/** Bytes that no compression makes smaller, the same for the same seed. */
export function noise(size: number, seed = 'noise'): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0, block = createHash('sha512').update(seed).digest(); at < size; at += 64) {
    block.copy(bytes, at)
    block = createHash('sha512').update(block).digest()
  }
  return bytes
}
