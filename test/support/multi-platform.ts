import { type Digest, digestOf } from '#base/digest.ts'
import type { ImageStore } from '#engine/images/image-store.ts'
import { encodeJson } from '#engine/images/manifest.ts'
import { compress } from '#oci/compress.ts'
import { mediaTypes } from '#oci/image-spec.ts'
import { parseReference } from '#oci/reference.ts'
import { layerTar } from './images.ts'

export const PREDICATE = 'https://slsa.dev/provenance/v1'
export const STATEMENT = { _type: 'https://in-toto.io/Statement/v0.1', predicateType: PREDICATE }

interface MultiPlatform {
  /** Processors whose images are here; the first one gets the name. */
  readonly here: readonly string[]
  /** Processors that the index names besides. */
  readonly absent?: readonly string[]
  /** In which form the manifests have the layers; gzip by default. */
  readonly layers?: 'gzip' | 'none'
  readonly name?: string
}

interface Part {
  readonly architecture: string
  readonly config: Uint8Array
  readonly manifest: Uint8Array
}

interface Document {
  readonly bytes: Uint8Array
  readonly mediaType: string
}

/** An image of one layer for each platform under one index, with an attestation, as it would have been pulled. */
export async function multiPlatform(
  store: ImageStore,
  { here, absent = [], layers = 'gzip', name = 'r.example/a:1' }: MultiPlatform,
): Promise<{ readonly index: Digest; readonly ids: readonly Digest[]; readonly attestation: Digest }> {
  await using addition = await store.add()
  const parts: Part[] = []
  for (const architecture of [...here, ...absent]) parts.push(await partOf(architecture, layers))
  for (const architecture of here) await addition.ingest(layerTar(architecture))
  const statements = attestationOf()
  const index = indexOf(parts, statements[0]!.bytes)
  const documents = [{ bytes: index, mediaType: mediaTypes.ociIndex }, ...statements]
  const added = await addition.commit(
    parts.slice(0, here.length).map(({ config, manifest }, at) => ({
      config,
      manifests: [...documents, { bytes: manifest, mediaType: mediaTypes.ociManifest }],
      references: at === 0 ? [parseReference(name)] : [],
      target: digestOf(index),
    })),
  )
  return {
    index: digestOf(index),
    ids: added.map(({ id }) => id),
    attestation: digestOf(statements[0]!.bytes),
  }
}

async function partOf(architecture: string, format: 'gzip' | 'none'): Promise<Part> {
  const tar = await bytesOf(layerTar(architecture))
  const blob = await bytesOf(compress(layerTar(architecture), format))
  const config = encodeJson({
    architecture,
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    history: [{ created_by: architecture }],
  })
  const layerType = format === 'gzip' ? mediaTypes.ociLayerGzip : mediaTypes.ociLayer
  const manifest = encodeJson({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
    layers: [{ mediaType: layerType, digest: digestOf(blob), size: blob.length }],
    annotations: { made: 'elsewhere' },
  })
  return { architecture, config, manifest }
}

/** The manifest, its config and its statement. */
function attestationOf(): Document[] {
  const statement = encodeJson(STATEMENT)
  const config = encodeJson({})
  const layer = {
    mediaType: 'application/vnd.in-toto+json',
    digest: digestOf(statement),
    size: statement.length,
    annotations: { 'in-toto.io/predicate-type': PREDICATE },
  }
  const manifest = encodeJson({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
    layers: [layer],
  })
  return [
    { bytes: manifest, mediaType: mediaTypes.ociManifest },
    { bytes: config, mediaType: mediaTypes.ociConfig },
    { bytes: statement, mediaType: layer.mediaType },
  ]
}

function indexOf(parts: readonly Part[], attestation: Uint8Array): Uint8Array {
  const entry = (bytes: Uint8Array, more: object): object => ({
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(bytes),
    size: bytes.length,
    ...more,
  })
  const annotations = {
    'vnd.docker.reference.type': 'attestation-manifest',
    'vnd.docker.reference.digest': digestOf(parts[0]!.manifest),
  }
  const manifests = [
    ...parts.map(({ manifest, architecture }) =>
      entry(manifest, { platform: { os: 'linux', architecture } }),
    ),
    entry(attestation, { platform: { os: 'unknown', architecture: 'unknown' }, annotations }),
  ]
  return encodeJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests })
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(source))
}
