import { createWriteStream } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Digest, digestOf } from '#base/digest.ts'
import { EngineError, isErrno, isKind } from '#base/errors.ts'
import { type ImageConfig, mediaTypes } from '#oci/image-spec.ts'
import { fileSize, makeDirectories } from '#os/files.ts'
import type { LayerRow } from '#store/images.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import { encodeJson, manifestOf } from '../../images/manifest.ts'
import { OciLayout, REF_NAME } from '../oci-layout.ts'

/** A cache in a directory of this host, in the OCI layout. */
export interface CacheLayout {
  readonly config: ImageConfig
  /** Brings a layer into the store; false when it has gone or is not what it should be. */
  fetch(layer: Digest, signal: AbortSignal): Promise<boolean>
}

/** Writes the cache under `tag`; other tags of the directory stay. Readers see the old one or the new one. */
export async function writeCacheLayout(
  directory: string,
  {
    config,
    layers,
    tag,
  }: { readonly config: Uint8Array; readonly layers: readonly LayerRow[]; readonly tag: string },
  snapshots: Pick<Snapshots, 'tar'>,
  signal: AbortSignal,
): Promise<void> {
  const layout = new OciLayout(directory)
  await makeDirectories(join(directory, 'blobs', 'sha256'), { mode: 0o755 })
  for (const { diffId, size } of layers) {
    const path = layout.path(diffId)
    if ((await fileSize(path)) === size) continue
    await pipeline(snapshots.tar(diffId), createWriteStream(`${path}.part`), { signal })
    await rename(`${path}.part`, path)
  }
  const manifest = manifestOf(config, layers)
  await writeFile(layout.path(digestOf(config)), config)
  await writeFile(layout.path(manifest.descriptor.digest), manifest.bytes)
  await writeFile(join(directory, 'oci-layout'), encodeJson({ imageLayoutVersion: '1.0.0' }))
  const others = (await layout.entries()).filter(({ annotations }) => annotations?.[REF_NAME] !== tag)
  const manifests = [...others, { ...manifest.descriptor, annotations: { [REF_NAME]: tag } }]
  const index = encodeJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests })
  await writeFile(join(directory, 'index.json.part'), index)
  await rename(join(directory, 'index.json.part'), join(directory, 'index.json'))
}

/** The cache under a tag or digest, `latest` by default; `not_found` without one. */
export async function openCacheLayout(
  directory: string,
  wanted: string | undefined,
  snapshots: Pick<Snapshots, 'ingest'>,
): Promise<CacheLayout> {
  const layout = new OciLayout(directory)
  const found = await layout.find(wanted)
  if (found === undefined) {
    throw new EngineError(
      'not_found',
      `no build cache ${wanted ?? 'latest'} in ${directory}: write one with --cache-to type=local,dest=${directory}`,
      { code: 'BUILD_CACHE_NOT_FOUND', details: { directory } },
    )
  }
  const { manifest, config } = await layout.image(found)
  const blobs = new Map(config.document.rootfs.diff_ids.map((diffId, at) => [diffId, manifest.layers[at]]))
  return {
    config: config.document,
    async fetch(layer, signal) {
      const blob = blobs.get(layer)
      if (blob === undefined) return false
      try {
        await snapshots.ingest(layout.layer(blob.digest, signal), { expected: layer, signal })
        return true
      } catch (error) {
        if (isErrno(error, 'ENOENT') || isKind(error, 'invalid_argument')) return false
        throw error
      }
    },
  }
}
