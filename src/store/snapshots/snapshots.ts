import type { Digest } from '#base/digest.ts'
import type { LayerHealth } from './layer-check.ts'

/**
 * Layers and the writable root filesystems made from them.
 *
 * - *layer*: the filesystem changes of one OCI layer, stored once and immutable, keyed by the digest of its
 *   uncompressed tar (*diffID*). A layer is either wholly there and durable, or not there at all.
 * - *snapshot*: a writable directory on top of a list of layers, keyed by the id of the container (or build step)
 *   that owns it.
 *
 * Importing two layers and running a container from them:
 *
 *     const base = await snapshots.ingest(baseTar)
 *     const top = await snapshots.ingest(topTar)
 *     await snapshots.prepare(id, [base.diffId, top.diffId])      // bottom first, as in an OCI config
 *     const root = await snapshots.root(id)                       // what the shim mounts
 *     …
 *     await snapshots.remove(id)
 *
 * Nothing here knows about images or containers.
 */
export interface Snapshots {
  /** `erofs`: tar plus index, mounted from the file; `directory`: unpacked. */
  readonly driver: 'erofs' | 'directory'

  /**
   * Stores one uncompressed layer tar. The bytes are hashed while they are written; a hostile or broken archive is
   * refused with `invalid_argument` and leaves nothing behind. A layer that is there already costs only the reading.
   */
  ingest(tar: AsyncIterable<Uint8Array>, options?: IngestOptions): Promise<Layer>

  /**
   * The same for a compressed blob that may still be growing, in a thread of its own where that is possible. The blob is
   * hashed as well: `invalid_argument` when it has another digest. Undefined where there are no threads.
   */
  readonly ingestBlob?: (blob: LayerBlob, options: BlobOptions) => Promise<Layer>

  /** The layer, or undefined when it is not (or not wholly) there. */
  layer(diffId: Digest): Promise<Layer | undefined>

  /** The exact bytes that were ingested. Rejects with `data_loss` when they no longer match. */
  tar(diffId: Digest): AsyncIterable<Uint8Array>

  /**
   * Reads every byte of a layer. A damaged one counts as missing from then on: `layer()` does not find it, and
   * `ingest()` replaces it, also while containers use it.
   */
  checkLayer(diffId: Digest, options?: { readonly signal?: AbortSignal | undefined }): Promise<LayerHealth>

  /** Makes what belongs to a layer again from its archive, which `checkLayer()` has found intact. */
  rebuildLayer(diffId: Digest, options?: IngestOptions): Promise<void>

  /** What lies in staging and trash and nobody works on any more, by path below the data root. */
  leftovers(): Promise<readonly string[]>

  /** Removes such a path; frees its space before it resolves. */
  removeLeftover(path: string): Promise<void>

  /** All layers on disk, for accounting and garbage collection. */
  layers(): AsyncIterable<Layer>

  /** Bytes that removing the layer frees, as `space()` counts them. */
  layerSpace(diffId: Digest): Promise<number>

  /** Removes a layer that no snapshot uses; a missing one is not an error. */
  removeLayer(diffId: Digest): Promise<void>

  /**
   * Makes the writable directories of snapshot `id` on `layers` (bottom first), with empty files of these names in the
   * root. Fails with `conflict` when it exists.
   */
  prepare(id: string, layers: readonly Digest[], files?: readonly string[]): Promise<void>

  /** What to mount as root filesystem; the layers are made mountable in the helper's namespace. */
  root(id: string, layers: readonly Digest[]): Promise<RootMount>

  /** A read-only directory, visible under `/proc/HELPER/root`, showing `layers` merged; released by disposing. */
  view(layers: readonly Digest[]): Promise<View>

  /** Bytes used by the writable directory. */
  usage(id: string): Promise<number>

  /** Bytes that removing the snapshot frees: allocated blocks of all it has, directories too. None when it is missing. */
  space(id: string): Promise<number>

  /** All snapshot ids on disk. */
  snapshots(): Promise<readonly string[]>

  /** Makes the snapshot disappear at once (rename into the trash) and frees its space in the background. Idempotent. */
  remove(id: string): Promise<void>
}

export interface IngestOptions {
  readonly signal?: AbortSignal | undefined
  /** Refuses with `invalid_argument` when the digest of the bytes is another one. */
  readonly expected?: Digest | undefined
  /**
   * The layers below, bottom first; asked for only when the layer has a hard link to a file that it does not hold
   * itself, which then becomes a copy. Without it such a layer is refused.
   */
  readonly parents?: (() => Promise<readonly Digest[]>) | undefined
}

/** A layer as registries have it, in a file that grows from its beginning. */
export interface LayerBlob {
  readonly path: string
  readonly digest: Digest
  readonly size: number
  /** Calls back with how many bytes are there from the beginning, now and whenever it grows. */
  follow(onGrown: (prefix: number) => void): Disposable
}

export interface BlobOptions extends IngestOptions {
  /** Most bytes that come out; more is refused with `resource_exhausted`. */
  readonly limit: number
  /** Bytes of the blob that have been read. */
  readonly onProgress: (read: number) => void
}

export interface Layer {
  readonly diffId: Digest
  /** Bytes of the uncompressed tar. */
  readonly size: number
  /** Bytes on disk. */
  readonly stored: number
}

/** overlayfs parameters; directories are absolute and exist in the helper's mount namespace. Kernel: filesystems/overlayfs.rst. */
export interface RootMount {
  /** Topmost first. */
  readonly lower: readonly string[]
  readonly upper: string
  readonly work: string
}

export interface View extends AsyncDisposable {
  /** Path as the helper's mount namespace sees it. */
  readonly path: string
}
