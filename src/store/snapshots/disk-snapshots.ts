import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { hexOf, type Digest } from '#base/digest.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { Helper } from '#os/helper.ts'
import type { TreeEntry, Trees } from '#os/tree.ts'
import { allocatedBytes, fileBytes } from '../usage/blocks.ts'
import { DataDirectory } from './data-directory.ts'
import { noSuchSnapshot, snapshotExists, storageError } from './errors.ts'
import type { LayerHealth } from './layer-check.ts'
import { LayerStore } from './layer-store.ts'
import type { Attributes, StoredLayer } from './layer-record.ts'
import type { BlobOptions, IngestOptions, Layer, LayerBlob, RootMount, Snapshots, View } from './snapshots.ts'

export interface DiskSnapshotsDeps {
  readonly dataRoot: string
  readonly execRoot: string
  readonly helper: Helper
  readonly trees: Trees
  readonly logger: Logger
  /** How new layers are stored; those there already keep their form. See probeSnapshots(). */
  readonly driver: 'erofs' | 'directory'
}

/** Snapshots below a data root. `recover()` must have resolved before anything else is called. */
export class DiskSnapshots implements Snapshots, AsyncDisposable {
  readonly driver: 'erofs' | 'directory'
  readonly #deps: DiskSnapshotsDeps
  readonly #directory: DataDirectory
  readonly #layers: LayerStore

  constructor(deps: DiskSnapshotsDeps) {
    this.driver = deps.driver
    this.#deps = deps
    this.#directory = new DataDirectory(deps)
    this.#layers = new LayerStore({
      ...deps,
      directory: this.#directory,
      lowerFile: (layers, path) => this.#fileOf(layers, path),
    })
  }

  /** Makes the directories and clears away what a crash has left. */
  async recover(): Promise<void> {
    await this.#directory.recover()
  }

  /** Resolves when the space of all that was removed is free. */
  async idle(): Promise<void> {
    await this.#directory.idle()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#layers[Symbol.asyncDispose]()
    await this.idle()
  }

  async ingestBlob(blob: LayerBlob, options: BlobOptions): Promise<Layer> {
    return this.#layers.ingestBlob(blob, options)
  }

  async ingest(tar: AsyncIterable<Uint8Array>, options: IngestOptions = {}): Promise<Layer> {
    return this.#layers.ingest(tar, options)
  }

  async layer(diffId: Digest): Promise<Layer | undefined> {
    const found = await this.#layers.find(diffId)
    return found && { diffId, size: found.record.size, stored: found.record.stored }
  }

  tar(diffId: Digest): AsyncIterable<Uint8Array> {
    return this.#layers.tar(diffId)
  }

  async checkLayer(
    diffId: Digest,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<LayerHealth> {
    return this.#layers.check(diffId, options.signal)
  }

  async rebuildLayer(diffId: Digest, options: IngestOptions = {}): Promise<void> {
    await this.#layers.rebuild(diffId, options)
  }

  async leftovers(): Promise<readonly string[]> {
    return this.#directory.leftovers()
  }

  async removeLeftover(path: string): Promise<void> {
    await this.#directory.removeLeftover(path)
  }

  layers(): AsyncIterable<Layer> {
    return this.#layers.list()
  }

  async removeLayer(diffId: Digest): Promise<void> {
    await this.#layers.remove(diffId)
  }

  async prepare(id: string, layers: readonly Digest[], files: readonly string[] = []): Promise<void> {
    const target = this.#snapshot(id)
    const stored = await Promise.all(layers.map((diffId) => this.#layers.get(diffId)))
    try {
      makeSnapshot(this.#directory.stagingPath(), target, { files, root: rootAttributes(stored) })
    } catch (error) {
      if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw snapshotExists(id)
      throw storageError(error, target)
    }
  }

  async root(id: string, layers: readonly Digest[]): Promise<RootMount> {
    const snapshot = this.#existing(id)
    const lower = await this.#lower(layers)
    return { lower, upper: join(snapshot, 'upper'), work: join(snapshot, 'work') }
  }

  async view(layers: readonly Digest[]): Promise<View> {
    const { helper, execRoot } = this.#deps
    const path = join(execRoot, 'mnt', 'v', randomBytes(8).toString('hex'))
    const lower = await this.#lower(layers)
    // Over an empty directory a single layer is an overlay too, and its whiteouts are hidden.
    const alone = lower.length === 1 && lower[0] !== this.#directory.empty
    await helper.mountView(path, alone ? [...lower, this.#directory.empty] : lower)
    return { path, [Symbol.asyncDispose]: () => helper.unmount(path) }
  }

  async usage(id: string): Promise<number> {
    return fileBytes(join(this.#existing(id), 'upper'))
  }

  async space(id: string): Promise<number> {
    return allocatedBytes(this.#snapshot(id))
  }

  async layerSpace(diffId: Digest): Promise<number> {
    return allocatedBytes(join(this.#directory.layers, hexOf(diffId)))
  }

  async snapshots(): Promise<readonly string[]> {
    return readdir(this.#directory.snapshots)
  }

  async remove(id: string): Promise<void> {
    await this.#directory.discard(this.#snapshot(id))
  }

  /**
   * Topmost first; what lies below an opaque root is left out. So is a layer that comes again further up: all that it has and
   * hides, that one has and hides as well, and overlayfs refuses to have a directory twice.
   */
  async #lower(layers: readonly Digest[]): Promise<readonly string[]> {
    const stored = await Promise.all(layers.map((diffId) => this.#layers.get(diffId)))
    const opaque = stored.findLastIndex((layer) => layer.record.opaqueRoot)
    const above = stored.slice(Math.max(opaque, 0)).reverse()
    const visible = above.filter(({ diffId }, i) => above.findIndex((layer) => layer.diffId === diffId) === i)
    if (visible.length === 0) return [this.#directory.empty]
    return Promise.all(visible.map((layer) => this.#layers.show(layer)))
  }

  #existing(id: string): string {
    const path = this.#snapshot(id)
    if (!existsSync(path)) throw noSuchSnapshot(id)
    return path
  }

  #snapshot(id: string): string {
    // An id becomes a path: nothing that could mean another one gets through (CVE-2014-9358).
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id)) {
      throw new EngineError('invalid_argument', `invalid snapshot id ${JSON.stringify(id)}`, {
        code: 'SNAPSHOT_ID_INVALID',
      })
    }
    return join(this.#directory.snapshots, id)
  }

  async #fileOf(layers: readonly Digest[], path: string): Promise<TreeEntry> {
    const view = await this.view(layers)
    const records = this.#deps.trees.read({ join: this.#deps.helper.pid, root: view.path }, path)
    const iterator = records[Symbol.asyncIterator]()
    const close = async (): Promise<void> => {
      await iterator.return?.()
      await view[Symbol.asyncDispose]()
    }
    try {
      const first = await iterator.next()
      if (first.done === true) {
        throw new EngineError('not_found', `${path}: no such file in the layers below`, {
          code: 'FILE_NOT_FOUND',
        })
      }
      return { record: first.value.record, data: closing(first.value.data, close) }
    } catch (error) {
      await close()
      throw error
    }
  }
}

/** The view stays until the content has been read. */
async function* closing(
  data: AsyncIterable<Uint8Array>,
  close: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* data
  } finally {
    await close()
  }
}

/** A container's root directory is that of its topmost layer that has one: overlayfs shows the upper's. */
function rootAttributes(layers: readonly StoredLayer[]): Attributes | null {
  return layers.findLast((layer) => layer.record.root !== null)?.record.root ?? null
}

/**
 * Makes the directories in `staged` and renames them to `target`. Synchronous on purpose: this is on the way to every
 * container's start, the calls take a tenth of a millisecond, and each hop to the thread pool takes several. Not
 * synced to disk either: the row that names the snapshot is written later, and a snapshot without one is removed.
 */
function makeSnapshot(
  staged: string,
  target: string,
  { files, root }: { readonly files: readonly string[]; readonly root: Attributes | null },
): void {
  try {
    mkdirSync(staged, { mode: 0o755 })
    mkdirSync(join(staged, 'work'), { mode: 0o755 })
    const upper = join(staged, 'upper')
    mkdirSync(upper, { mode: 0o755 })
    for (const name of files) writeFileSync(join(upper, name), '', { mode: 0o755 })
    if (root !== null) {
      chownSync(upper, root.uid, root.gid)
      chmodSync(upper, root.mode)
      const seconds = root.seconds + root.nanoseconds / 1e9
      utimesSync(upper, seconds, seconds)
    }
    renameSync(staged, target)
  } catch (error) {
    rmSync(staged, { recursive: true, force: true })
    throw error
  }
}
