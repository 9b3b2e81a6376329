import { type Digest, digestOf } from '#base/digest.ts'
import { type Descriptor, type Manifest, mediaTypes } from '#oci/image-spec.ts'
import type { Repository } from '#registry/client/repository.ts'
import type { LayerRow } from '#store/images.ts'
import { missingLayer } from '../images/errors.ts'
import type { StoredManifest } from '../images/image-manifests.ts'
import type { ImageStore } from '../images/image-store.ts'
import { encodeJson, manifestOf as savedManifestOf } from '../images/manifest.ts'
import { type LayerBlob, type LayerPush, ociLayer } from './layer-push.ts'

export interface ImagePushDeps {
  readonly store: ImageStore
  readonly repository: Repository
  readonly layers: LayerPush
  readonly signal: AbortSignal
  /** Documents that this push has begun to send. */
  readonly documents: Map<Digest, Promise<void>>
  /** Aborts the signal: after one failure nothing else is worth sending. */
  readonly stop: (reason: unknown) => void
}

/** A manifest or index whose parts are all in the repository; putting it there is what is left to do. */
export interface ReadyManifest {
  readonly bytes: Uint8Array
  readonly descriptor: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>
  /** Images that have it. */
  readonly imageIds: readonly Digest[]
  /** Of an index: manifests that have been put by their digests. */
  readonly children?: readonly ReadyManifest[]
}

/**
 * Brings the layers and the config of an image into the repository. The manifest is the very one the image came with
 * when its layers are there under the digests that it names; else it is written anew, in OCI's form. What save() and builds wrote,
 * with plain layers, counts for nothing: layers go compressed to registries.
 */
export async function readyImage(
  imageId: Digest,
  original: StoredManifest | undefined,
  deps: ImagePushDeps,
): Promise<ReadyManifest> {
  const layers = await layersOf(imageId, deps.store)
  const config = await deps.store.deps.content.read(imageId)
  const fits =
    original?.document.layers.length === layers.length &&
    isKnown(original) &&
    !isSaved(original, config, layers)
  const wanted = fits ? original.document.layers : []
  const blobs = await settled(
    layers.map((layer, at) => deps.layers.push(layer, wanted[at])),
    deps.stop,
  )
  await sendDocument(config, imageId, deps)

  if (fits && blobs.every(({ digest }, at) => digest === wanted[at]?.digest)) {
    return { bytes: original.bytes, descriptor: original.descriptor, imageIds: [imageId] }
  }
  return written(manifestOf(imageId, config, blobs, original), [imageId])
}

/** The same for a configuration that is no image of this store, and the layers it names. */
export async function readyDocument(
  config: Uint8Array,
  layers: readonly LayerRow[],
  deps: ImagePushDeps,
): Promise<ReadyManifest> {
  const blobs = await settled(
    layers.map((layer) => deps.layers.push(layer)),
    deps.stop,
  )
  const digest = digestOf(config)
  await sendDocument(config, digest, deps)
  return written(manifestOf(digest, config, blobs, undefined), [])
}

/** A small blob, sent unless it is there; by one push only once, however many images need it. */
export function sendDocument(bytes: Uint8Array, digest: Digest, deps: ImagePushDeps): Promise<void> {
  const begun = deps.documents.get(digest) ?? send(bytes, digest, deps)
  deps.documents.set(digest, begun)
  return begun
}

async function send(bytes: Uint8Array, digest: Digest, { repository, signal }: ImagePushDeps): Promise<void> {
  if (await repository.hasBlob(digest, { signal })) return
  const read = async function* (offset: number): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(offset)
  }
  await repository.upload({ digest, size: bytes.length, read }, { signal })
}

export function written(
  document: { readonly mediaType: string },
  imageIds: readonly Digest[],
): ReadyManifest {
  const bytes = encodeJson(document)
  const { mediaType } = document
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, imageIds }
}

function manifestOf(
  imageId: Digest,
  config: Uint8Array,
  blobs: readonly LayerBlob[],
  original: StoredManifest | undefined,
): Manifest {
  const annotations = original?.document.annotations
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: imageId, size: config.length },
    layers: blobs.map(ociLayer),
    ...(annotations ? { annotations } : {}),
  }
}

/** What save() and builds write, with plain layers. */
function isSaved(
  { descriptor, document }: StoredManifest,
  config: Uint8Array,
  layers: readonly LayerRow[],
): boolean {
  const saved = savedManifestOf(config, layers, document.annotations ?? undefined)
  return saved.descriptor.digest === descriptor.digest
}

/** Whether we could make every layer that it names; layers encrypted or kept elsewhere are beyond that. */
function isKnown({ document }: StoredManifest): boolean {
  const known: readonly string[] = Object.values(mediaTypes)
  return document.layers.every(
    ({ mediaType }) => known.includes(mediaType) && mediaType !== mediaTypes.dockerForeignLayer,
  )
}

async function layersOf(imageId: Digest, { rows, deps }: ImageStore): Promise<LayerRow[]> {
  const layers: LayerRow[] = []
  for (const diffId of rows.layers(imageId)) {
    const layer = await deps.snapshots.layer(diffId)
    if (layer === undefined) throw missingLayer(diffId, imageId)
    layers.push({ diffId, size: layer.size })
  }
  return layers
}

/** All results; after a failure the others are stopped and waited for: nothing goes on behind the caller's back. */
export async function settled<T>(
  promises: readonly Promise<T>[],
  stop: (reason: unknown) => void,
): Promise<T[]> {
  const results = await Promise.allSettled(promises.map((promise) => stopping(promise, stop)))
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

async function stopping<T>(promise: Promise<T>, stop: (reason: unknown) => void): Promise<T> {
  try {
    return await promise
  } catch (error) {
    stop(error)
    throw error
  }
}
