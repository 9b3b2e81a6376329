import type { Clock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { decodeBytes, encodeBytes } from '#oci/tar/entry.ts'
import type { Helper } from '#os/helper.ts'
import type { TreeRecord, TreeRoot, Trees } from '#os/tree.ts'
import type { FileState } from '#store/file-digests.ts'
import type { Snapshots, View } from '#store/snapshots/snapshots.ts'
import { Beneath } from './beneath.ts'
import { DiskContents } from './disk-contents.ts'
import { changedFile } from './errors.ts'
import { NOTHING, nothing } from './nothing.ts'
import type { FileSource, MountableRoot, SourceFile, WalkOptions } from './file-source.ts'
import type { LayerDigests } from './layer-digests.ts'
import { resolveInside } from './resolve-inside.ts'
import { attributesOf, typeOf } from './stat-attributes.ts'

export interface LayersDeps {
  readonly snapshots: Pick<Snapshots, 'view'>
  readonly helper: Pick<Helper, 'pid'>
  readonly trees: Pick<Trees, 'read' | 'stat'>
  readonly digests: LayerDigests
  readonly clock: Clock
}

/** The files that `layers` (bottom first) amount to, as the stage or image `name` has them. They stay mounted until disposal. */
export async function openLayers(
  layers: readonly Digest[],
  name: string,
  deps: LayersDeps,
): Promise<FileSource> {
  return new LayersSource(name, layers, await deps.snapshots.view(layers), deps)
}

/**
 * Attributes come from berth-tree, which knows the extended ones; contents are read through the helper's root, where the
 * view is mounted.
 */
class LayersSource implements FileSource {
  readonly name: string
  readonly layers: readonly Digest[]
  readonly #deps: LayersDeps
  readonly #view: View
  readonly #beneath: Beneath
  readonly #contents: DiskContents
  readonly #digests: Map<string, Digest>

  constructor(name: string, layers: readonly Digest[], view: View, deps: LayersDeps) {
    this.name = name
    this.layers = layers
    this.#deps = deps
    this.#view = view
    this.#beneath = new Beneath(`/proc/${deps.helper.pid}/root${view.path}`)
    this.#contents = new DiskContents(this.#beneath, { name, clock: deps.clock })
    this.#digests = deps.digests.of(layers)
  }

  async *walk(path: string, options: WalkOptions = {}): AsyncGenerator<SourceFile> {
    const start = this.#beneath.stat(encodeBytes(path))
    if (start === undefined) return
    const descends = !start.isDirectory() || options.descend?.(path) !== false
    if (path === '' || !descends) {
      const record = await this.#stat(path)
      if (record !== undefined) yield this.#file(record)
      if (!descends) return
    }
    /** A directory whose contents are left out; they come right after it. */
    let skipped: string | undefined
    const records = this.#deps.trees.read(this.#tree, `/${path}`, {
      name: path,
      data: false,
      signal: options.signal,
    })
    for await (const { record } of records) {
      if (skipped !== undefined && record.path.startsWith(skipped)) continue
      yield this.#file(record)
      if (record.type === 'directory' && options.descend?.(record.path) === false) skipped = `${record.path}/`
    }
  }

  async find(path: string): Promise<SourceFile | undefined> {
    const found = await resolveInside(path, async (at) => this.#glance(at))
    const record = found && (await this.#stat(found.attributes.path))
    return record && this.#file(record)
  }

  async root(): Promise<TreeRoot & MountableRoot> {
    return { ...this.#tree, path: this.#view.path }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#beneath[Symbol.dispose]()
    await this.#view[Symbol.asyncDispose]()
  }

  get #tree(): { readonly join: number; readonly root: string } {
    return { join: this.#deps.helper.pid, root: this.#view.path }
  }

  /** What is at a path, without extended attributes: in a few microseconds. */
  #glance(path: string): Pick<SourceFile, 'attributes'> | undefined {
    const bytes = encodeBytes(path)
    const found = this.#beneath.stat(bytes)
    const type = found && typeOf(found)
    if (found === undefined || type === undefined) return undefined
    const attributes = attributesOf(path, type, found)
    if (type !== 'symlink') return { attributes }
    const link = this.#beneath.link(bytes)
    return link === undefined ? undefined : { attributes: { ...attributes, link: decodeBytes(link) } }
  }

  async #stat(path: string): Promise<TreeRecord | undefined> {
    try {
      return { ...(await this.#deps.trees.stat(this.#tree, `/${path}`)), path }
    } catch (error) {
      // A socket is in no tree.
      if (isKind(error, 'not_found') || isKind(error, 'invalid_argument')) return undefined
      throw error
    }
  }

  #file(record: TreeRecord): SourceFile {
    const { type, path, size } = record
    // In what layers amount to there are none.
    if (type === 'whiteout') throw new Error(`${this.name}: ${path} is a whiteout`)
    const attributes = { ...record, type }
    if (type !== 'file') return { attributes, digest: async () => NOTHING, read: nothing }
    return {
      attributes,
      digest: (signal) => this.#digest(path, size, signal),
      read: () => this.#contents.read(encodeBytes(path), this.#state(path, size)),
    }
  }

  async #digest(path: string, size: number, signal: AbortSignal | undefined): Promise<Digest> {
    const known = this.#digests.get(path)
    if (known !== undefined) return known
    const digest = await this.#contents.digest(encodeBytes(path), this.#state(path, size), signal)
    this.#digests.set(path, digest)
    return digest
  }

  #state(path: string, size: number): FileState {
    const state = this.#beneath.stat(encodeBytes(path))
    if (state === undefined || Number(state.size) !== size) throw changedFile(this.name, path)
    return state
  }
}
