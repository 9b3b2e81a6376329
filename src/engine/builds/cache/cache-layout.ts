import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Digest, digestOf, hexOf } from '#base/digest.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import { decompress } from '#oci/compression.ts'
import {
  type Descriptor,
  type ImageConfig,
  limits,
  mediaTypes,
  parseImageConfig,
  parseIndex,
  parseManifest,
} from '#oci/image-spec.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { LayerRow } from '#store/images.ts'
import { encodeJson, manifestOf } from '../../images/manifest.ts'

/** A cache in a directory of this host, in the OCI layout (image-layout.md). */
export interface CacheLayout {
  readonly config: ImageConfig
  /** Brings a layer into the store; false when it has gone or is not what it should be. */
  fetch(layer: Digest, signal: AbortSignal): Promise<boolean>
}

const REF_NAME = 'org.opencontainers.image.ref.name'

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
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true })
  for (const { diffId, size } of layers) {
    const path = blobPath(directory, diffId)
    if ((await sizeOf(path)) === size) continue
    await pipeline(snapshots.tar(diffId), createWriteStream(`${path}.part`), { signal })
    await rename(`${path}.part`, path)
  }
  const manifest = manifestOf(config, layers)
  await writeFile(blobPath(directory, digestOf(config)), config)
  await writeFile(blobPath(directory, manifest.descriptor.digest), manifest.bytes)
  await writeFile(join(directory, 'oci-layout'), encodeJson({ imageLayoutVersion: '1.0.0' }))
  const others = (await readIndex(directory)).filter(({ annotations }) => annotations?.[REF_NAME] !== tag)
  const manifests = [...others, { ...manifest.descriptor, annotations: { [REF_NAME]: tag } }]
  const index = encodeJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests })
  await writeFile(join(directory, 'index.json.part'), index)
  await rename(join(directory, 'index.json.part'), join(directory, 'index.json'))
}

/** The cache under `tag`, or the digest given; `not_found` without one. */
export async function openCacheLayout(
  directory: string,
  wanted: { readonly tag: string; readonly digest?: string | undefined },
  snapshots: Pick<Snapshots, 'ingest'>,
): Promise<CacheLayout> {
  const manifests = await readIndex(directory)
  const found =
    wanted.digest === undefined
      ? manifests.find(({ annotations }) => annotations?.[REF_NAME] === wanted.tag)
      : manifests.find(({ digest }) => digest === wanted.digest)
  if (found === undefined) {
    throw new EngineError(
      'not_found',
      `no build cache ${wanted.digest ?? wanted.tag} in ${directory}: write one with --cache-to type=local,dest=${directory}`,
      { code: 'BUILD_CACHE_NOT_FOUND', details: { directory } },
    )
  }
  const manifest = parseManifest(await readBlob(directory, found.digest, limits.manifest))
  const config = parseImageConfig(await readBlob(directory, manifest.config.digest, limits.config))
  const blobs = new Map(config.rootfs.diff_ids.map((diffId, at) => [diffId, manifest.layers[at]]))
  return {
    config,
    async fetch(layer, signal) {
      const blob = blobs.get(layer)
      if (blob === undefined) return false
      try {
        const bytes: AsyncIterable<Uint8Array> = createReadStream(blobPath(directory, blob.digest), {
          signal,
        })
        await snapshots.ingest(decompress(bytes, { signal }), { expected: layer, signal })
        return true
      } catch (error) {
        if (isErrno(error, 'ENOENT') || (error instanceof EngineError && error.kind === 'invalid_argument'))
          return false
        throw error
      }
    },
  }
}

async function readIndex(directory: string): Promise<readonly Descriptor[]> {
  try {
    return parseIndex(await readFile(join(directory, 'index.json'))).manifests
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  }
}

async function readBlob(directory: string, digest: Digest, limit: number): Promise<Uint8Array> {
  const path = blobPath(directory, digest)
  const size = await sizeOf(path)
  const bytes = size === undefined || size > limit ? undefined : await readFile(path)
  if (bytes !== undefined && digestOf(bytes) === digest) return bytes
  throw new EngineError('data_loss', `blob ${digest} in ${directory} is missing or damaged`, {
    code: 'BUILD_CACHE_DAMAGED',
    details: { directory, digest },
  })
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

function blobPath(directory: string, digest: Digest): string {
  return join(directory, 'blobs', 'sha256', hexOf(digest))
}
