import type { Clock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { decodeBytes, encodeBytes } from '#oci/tar/entry.ts'
import type { Helper } from '#os/helper.ts'
import type { Trees } from '#os/tree.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import { Beneath } from '../sources/beneath.ts'
import { DiskContents } from '../sources/disk-contents.ts'
import { changedFile } from '../sources/errors.ts'
import type { SourceFile } from '../sources/file-source.ts'
import { attributesOf, typeOf } from '../sources/stat-attributes.ts'

export type BelowFile = SourceFile['attributes']

/** The files of the layers that a step stands on. Paths are relative and clean; no symlink is followed. */
export interface FilesBelow extends AsyncDisposable {
  /** What is at `path`, perhaps without extended attributes. Not to be asked for what is below a symlink. */
  at(path: string): BelowFile | undefined
  /** All that is known of the files at these paths. */
  describe(paths: readonly string[]): Promise<ReadonlyMap<string, BelowFile>>
  /** Content of the regular file at `path`. */
  read(path: string): AsyncIterable<Uint8Array>
}

/** Below the first layer. */
export const nothingBelow: FilesBelow = {
  at: () => undefined,
  describe: async () => new Map(),
  read(path) {
    throw changedFile('layers below', path)
  },
  [Symbol.asyncDispose]: async () => undefined,
}

export interface FilesBelowDeps {
  readonly snapshots: Pick<Snapshots, 'view'>
  readonly helper: Pick<Helper, 'pid'>
  readonly trees: Pick<Trees, 'read' | 'stat'>
  readonly clock: Clock
}

/** `layers` (bottom first) merged; they stay mounted until disposal. */
export async function openBelow(layers: readonly Digest[], deps: FilesBelowDeps): Promise<FilesBelow> {
  if (layers.length === 0) return nothingBelow
  await using opened = new AsyncDisposableStack()
  const view = opened.use(await deps.snapshots.view(layers))
  const beneath = opened.use(new Beneath(`/proc/${deps.helper.pid}/root${view.path}`))
  return new MountedFiles(view.path, beneath, opened.move(), deps)
}

/** For more files than this one program that reads all is quicker than one each. */
const FEW = 16

class MountedFiles implements FilesBelow {
  readonly #path: string
  readonly #beneath: Beneath
  readonly #contents: DiskContents
  readonly #opened: AsyncDisposableStack
  readonly #deps: FilesBelowDeps

  constructor(path: string, beneath: Beneath, opened: AsyncDisposableStack, deps: FilesBelowDeps) {
    this.#path = path
    this.#beneath = beneath
    this.#contents = new DiskContents(beneath, { name: 'layers below', clock: deps.clock })
    this.#opened = opened
    this.#deps = deps
  }

  at(path: string): BelowFile | undefined {
    const bytes = encodeBytes(path)
    const found = this.#beneath.stat(bytes)
    const type = found && typeOf(found)
    if (found === undefined || type === undefined) return undefined
    const attributes = attributesOf(path, type, found)
    if (type !== 'symlink') return attributes
    return { ...attributes, link: decodeBytes(this.#beneath.link(bytes) ?? '') }
  }

  async describe(paths: readonly string[]): Promise<ReadonlyMap<string, BelowFile>> {
    const root = { join: this.#deps.helper.pid, root: this.#path }
    const described = new Map<string, BelowFile>()
    const add = (path: string, record: Awaited<ReturnType<Trees['stat']>>): void => {
      if (record.type !== 'whiteout') described.set(path, { ...record, type: record.type, path })
    }
    if (paths.length <= FEW) {
      const records = await Promise.all(paths.map((path) => this.#deps.trees.stat(root, `/${path}`)))
      for (const [i, record] of records.entries()) add(paths[i] ?? '', record)
      return described
    }
    const wanted = new Set(paths)
    for await (const { record } of this.#deps.trees.read(root, '/', { name: '', data: false })) {
      if (wanted.has(record.path)) add(record.path, record)
    }
    return described
  }

  async *read(path: string): AsyncGenerator<Uint8Array> {
    const bytes = encodeBytes(path)
    const state = this.#beneath.stat(bytes)
    if (state === undefined) throw changedFile('layers below', path)
    yield* this.#contents.read(bytes, state)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync()
  }
}
