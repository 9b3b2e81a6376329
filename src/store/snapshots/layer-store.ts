import { createHash } from 'node:crypto'
import { opendir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hexOf, isDigest, type Digest, digestFrom } from '#base/digest.ts'
import { isKind, messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { KeyedMutex } from '#base/mutex.ts'
import { indexObstacle } from '#oci/erofs/index-writer.ts'
import { invalidTar } from '#oci/tar/errors.ts'
import type { Helper } from '#os/helper.ts'
import type { TreeEntry, Trees } from '#os/tree.ts'
import type { DataDirectory, StagedDirectory } from './data-directory.ts'
import { finishDirectoryLayer, readDirectoryTar } from './directory-layer.ts'
import { finishErofsLayer, readErofsTar } from './erofs-layer.ts'
import { damagedLayer, noSuchLayer, storageError, wrongDiffId } from './errors.ts'
import { LayerMounts } from './layer-mounts.ts'
import { checkLayer, readAnyTar, type LayerHealth } from './layer-check.ts'
import {
  exists,
  files,
  loadLayer,
  rootOf,
  writeRecord,
  type LayerRecord,
  type StoredLayer,
} from './layer-record.ts'
import { LayerThreads } from './layer-threads.ts'
import type { BlobOptions, IngestOptions, Layer, LayerBlob } from './snapshots.ts'
import { abortableSource, parsedTar, stageTar, type StagedTar } from './stage-tar.ts'

export interface LayerStoreDeps {
  readonly driver: 'erofs' | 'directory'
  readonly execRoot: string
  readonly directory: DataDirectory
  readonly helper: Helper
  readonly trees: Trees
  readonly logger: Logger
  /** The file at `path` of `layers` merged, for hard links into lower layers. */
  readonly lowerFile: (layers: readonly Digest[], path: string) => Promise<TreeEntry>
}

/** Layers on disk and where they are mounted. With `erofs`, a layer that an index cannot express is unpacked. */
export class LayerStore implements AsyncDisposable {
  readonly #deps: LayerStoreDeps
  readonly #mounts: LayerMounts
  readonly #threads = new LayerThreads()
  /** Held while a layer comes or goes. */
  readonly #locks = new KeyedMutex()
  readonly #loaded = new Map<Digest, StoredLayer>()

  constructor(deps: LayerStoreDeps) {
    this.#deps = deps
    this.#mounts = new LayerMounts(deps.helper, deps.execRoot)
  }

  async ingest(tar: AsyncIterable<Uint8Array>, options: IngestOptions): Promise<Layer> {
    const { signal, expected } = options
    const known = expected === undefined ? undefined : await this.find(expected)
    if (known !== undefined) {
      await checkDigest(tar, known.diffId, signal)
      return layerOf(known)
    }
    const { directory } = this.#deps
    await using staged = await directory.stage().catch((error: unknown) => {
      throw storageError(error, directory.layers)
    })
    const content = await stageTar(tar, join(staged.path, files.tar), { signal })
    if (expected !== undefined && content.diffId !== expected) throw wrongDiffId(expected, content.diffId)
    const same = await this.find(content.diffId)
    if (same !== undefined) return layerOf(same)

    const record = await this.#finish(staged, content, options)
    signal?.throwIfAborted()
    return await this.#commit(staged, content.diffId, record)
  }

  /** Unpacks a blob while it grows. One of a layer that is there already is not looked at. */
  async ingestBlob(blob: LayerBlob, options: BlobOptions): Promise<Layer> {
    const { expected, signal, limit, onProgress } = options
    const known = expected === undefined ? undefined : await this.find(expected)
    if (known !== undefined) return layerOf(known)
    const { directory, driver } = this.#deps
    await using staged = await directory.stage().catch((error: unknown) => {
      throw storageError(error, directory.layers)
    })
    const { path, digest, size } = blob
    const tar = join(staged.path, files.tar)
    const job = { blob: path, digest, size, tar, index: driver === 'erofs', limit, expected }
    const follow = blob.follow.bind(blob)
    const unpacked = await this.#threads.run(job, { signal, follow, onProgress })
    const record =
      unpacked.indexed === undefined
        ? await this.#finish(staged, await parsedTar(unpacked, tar), options)
        : await this.#record(staged, unpacked.size, unpacked.root, unpacked.indexed)
    signal?.throwIfAborted()
    return await this.#commit(staged, unpacked.diffId, record)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#threads[Symbol.asyncDispose]()
  }

  /** The layer; undefined when it is missing or damaged, as far as its lengths and the last check tell. */
  async find(diffId: Digest): Promise<StoredLayer | undefined> {
    const path = this.#path(diffId)
    try {
      const layer = await loadLayer(diffId, path)
      return layer !== undefined && (await exists(join(path, files.damaged))) ? undefined : layer
    } catch (error) {
      if (!isKind(error, 'data_loss')) throw error
      this.#deps.logger.warn('layer is damaged', { diffId, reason: messageOf(error) })
      return undefined
    }
  }

  /** The layer; `not_found` or `data_loss` otherwise. Looked at once, then remembered. */
  async get(diffId: Digest): Promise<StoredLayer> {
    const loaded = this.#loaded.get(diffId)
    if (loaded !== undefined) return loaded
    const layer = await loadLayer(diffId, this.#path(diffId))
    if (layer === undefined) throw noSuchLayer(diffId)
    this.#loaded.set(diffId, layer)
    return layer
  }

  /** A directory of the helper's namespace that shows the layer. */
  async show(layer: StoredLayer): Promise<string> {
    const known = this.#mounts.known(layer.diffId)
    if (known !== undefined) return known
    using _lock = await this.#locks.acquire(layer.diffId)
    const usable = layer.record.kind === this.#deps.driver || layer.record.kind === 'directory'
    return await this.#mounts.show(usable ? layer : await this.#unpacked(layer))
  }

  async *tar(diffId: Digest): AsyncGenerator<Uint8Array> {
    const layer = await loadLayer(diffId, this.#path(diffId))
    if (layer === undefined) throw noSuchLayer(diffId)
    const hash = createHash('sha256')
    try {
      for await (const chunk of layer.record.kind === 'erofs'
        ? readErofsTar(layer)
        : readDirectoryTar(layer)) {
        hash.update(chunk)
        yield chunk
      }
    } catch (error) {
      throw damagedLayer(diffId, 'its archive cannot be read', error)
    }
    if (digestFrom(hash) !== diffId) throw damagedLayer(diffId, 'its archive has another digest')
  }

  /** Damaged layers too, so that they can be found and removed. */
  async *list(): AsyncGenerator<Layer> {
    for await (const { name } of await opendir(this.#deps.directory.layers)) {
      const diffId = `sha256:${name}`
      if (!isDigest(diffId)) continue
      const layer = await this.find(diffId)
      yield layer === undefined ? { diffId, size: 0, stored: 0 } : layerOf(layer)
    }
  }

  /** Reads every byte. What is found damaged counts as missing from now on, except to containers that have it. */
  async check(diffId: Digest, signal: AbortSignal | undefined): Promise<LayerHealth> {
    const path = this.#path(diffId)
    const health = await checkLayer(diffId, path, { signal })
    const mark = join(path, files.damaged)
    using _lock = await this.#locks.acquire(diffId)
    if (health.state === 'whole') await rm(mark, { force: true })
    else if (await exists(path)) await writeFile(mark, '', { mode: 0o600 })
    return health
  }

  /** Makes everything but the archive again, from the archive, which a check has found intact. */
  async rebuild(diffId: Digest, options: IngestOptions): Promise<void> {
    const path = this.#path(diffId)
    await using staged = await this.#deps.directory.stage()
    const source = readAnyTar(diffId, path)
    const content = await stageTar(source, join(staged.path, files.tar), { signal: options.signal })
    if (content.diffId !== diffId) throw damagedLayer(diffId, `its archive has the digest ${content.diffId}`)
    const record = await this.#finish(staged, content, options)
    using _lock = await this.#locks.acquire(diffId)
    await this.#replace(staged, diffId, record)
  }

  async remove(diffId: Digest): Promise<void> {
    using _lock = await this.#locks.acquire(diffId)
    await this.#mounts.hide(diffId)
    this.#loaded.delete(diffId)
    await this.#deps.directory.discard(this.#path(diffId))
  }

  async #finish(staged: StagedDirectory, content: StagedTar, options: IngestOptions): Promise<LayerRecord> {
    const obstacle = this.#deps.driver === 'erofs' ? indexObstacle(content.tree, content.size) : undefined
    const asIndex = this.#deps.driver === 'erofs' && obstacle === undefined
    if (obstacle !== undefined) {
      this.#deps.logger.info('layer is unpacked', { diffId: content.diffId, reason: obstacle })
    }
    try {
      const finished = asIndex
        ? await finishErofsLayer(staged.path, content)
        : await finishDirectoryLayer(staged.path, content, this.#deps, {
            lowerFile: (path) => this.#lowerFile(path, options),
            signal: options.signal,
          })
      return await this.#record(staged, content.size, rootOf(content.tree), finished)
    } catch (error) {
      throw storageError(error, staged.path)
    }
  }

  async #record(
    staged: StagedDirectory,
    size: number,
    root: Pick<LayerRecord, 'root' | 'opaqueRoot'>,
    finished: Pick<LayerRecord, 'kind' | 'stored' | 'lengths' | 'indexSha256'>,
  ): Promise<LayerRecord> {
    const record: LayerRecord = { version: 1, size, ...root, ...finished }
    try {
      await writeRecord(staged.path, record)
    } catch (error) {
      throw storageError(error, staged.path)
    }
    return record
  }

  /** A data root that came from a machine with EROFS: the layer is unpacked from its own archive. */
  async #unpacked({ diffId, path }: StoredLayer): Promise<StoredLayer> {
    // Another caller may have done it while this one waited for the lock.
    const now = await this.find(diffId)
    if (now?.record.kind === 'directory') return now
    const { directory } = this.#deps
    await using staged = await directory.stage()
    const content = await stageTar(this.tar(diffId), join(staged.path, files.tar))
    await this.#finish(staged, content, {})
    await directory.discard(path)
    await staged.commit(path)
    this.#loaded.delete(diffId)
    return await this.get(diffId)
  }

  async #lowerFile(path: string, options: IngestOptions): Promise<TreeEntry> {
    const parents = await options.parents?.()
    if (parents === undefined || parents.length === 0) {
      throw invalidTar(
        path,
        'hard link to a file that the layer does not hold, and the layers below are not known',
      )
    }
    return this.#deps.lowerFile(parents, path)
  }

  async #commit(staged: StagedDirectory, diffId: Digest, record: LayerRecord): Promise<Layer> {
    using _lock = await this.#locks.acquire(diffId)
    const same = await this.find(diffId)
    if (same !== undefined) return layerOf(same)
    // What may still lie there is damaged.
    return await this.#replace(staged, diffId, record)
  }

  /** The lock is the caller's. Containers that run keep the mount of what was there. */
  async #replace(staged: StagedDirectory, diffId: Digest, record: LayerRecord): Promise<Layer> {
    const path = this.#path(diffId)
    await this.#mounts.hide(diffId)
    this.#loaded.delete(diffId)
    await this.#deps.directory.discard(path)
    try {
      await staged.commit(path)
    } catch (error) {
      throw storageError(error, path)
    }
    return { diffId, size: record.size, stored: record.stored }
  }

  #path(diffId: Digest): string {
    return join(this.#deps.directory.layers, hexOf(diffId))
  }
}

function layerOf({ diffId, record }: StoredLayer): Layer {
  return { diffId, size: record.size, stored: record.stored }
}

async function checkDigest(
  tar: AsyncIterable<Uint8Array>,
  expected: Digest,
  signal: AbortSignal | undefined,
): Promise<void> {
  const hash = createHash('sha256')
  for await (const chunk of abortableSource(tar, signal)) hash.update(chunk)
  const actual = digestFrom(hash)
  if (actual !== expected) throw wrongDiffId(expected, actual)
}
