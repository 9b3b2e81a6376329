import { digestOf } from '#base/digest.ts'
import { type Descriptor, type Manifest, mediaTypes } from '#oci/image-spec.ts'
import type { LayerRow } from '#store/images.ts'

/**
 * The OCI manifest of an image whose layers are the uncompressed tars we keep: the same bytes on every machine that
 * has the image.
 */
export function manifestOf(
  config: Uint8Array,
  layers: readonly LayerRow[],
  annotations?: Readonly<Record<string, string>>,
): { readonly bytes: Uint8Array; readonly descriptor: Descriptor } {
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
    layers: layers.map(({ diffId, size }) => ({ mediaType: mediaTypes.ociLayer, digest: diffId, size })),
    ...(annotations === undefined ? {} : { annotations }),
  }
  const bytes = encodeJson(manifest)
  return {
    bytes,
    descriptor: { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length },
  }
}

export function encodeJson(document: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document))
}
