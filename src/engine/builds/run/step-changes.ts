import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '#base/digest.ts'
import { isErrno } from '#base/errors.ts'
import { isReserved } from '#oci/tar/whiteouts.ts'
import type { Helper } from '#os/helper.ts'
import type { TreeEntry, TreeRecord } from '#os/tree.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import { reservedName } from './errors.ts'
import { type MountStubs, sameDirectory } from './mount-stubs.ts'

/** Looks at the layers that a step stands on; undefined when they have no such path. */
export type Below = (path: string) => Promise<TreeRecordFacts | undefined>

interface TreeRecordFacts {
  readonly isDirectory: boolean
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/**
 * What a step has changed, from the records of its upper directory: parents first. Left out are
 *
 * - places that the runtime has made for mounts;
 * - directories that overlayfs has only copied up, mode and owner as below, unless something in them has changed: then they
 *   are there, for whoever unpacks the layer, with the time of that change. BuildKit has it so as well;
 * - whiteouts of what is not there below.
 */
export async function* stepChanges(
  entries: AsyncIterable<TreeEntry>,
  stubs: MountStubs,
  below: Below,
): AsyncGenerator<TreeEntry> {
  const waiting: TreeRecord[] = []
  let opaque: string | undefined
  for await (const { record, data } of entries) {
    const { path } = record
    if (path === '') continue
    // Whoever unpacks the layer would take it for the removal of a file.
    if (record.type !== 'whiteout' && isReserved(path.slice(path.lastIndexOf('/') + 1)))
      throw reservedName(path)
    while (waiting.length > 0 && !isBelow(path, waiting.at(-1)?.path ?? '')) waiting.pop()
    if (opaque !== undefined && !isBelow(path, opaque)) opaque = undefined
    // All of it is new, whatever the layers below have there.
    const before = opaque === undefined ? below : async () => undefined
    if (record.opaque === true) opaque ??= path
    if (stubs.has(record) || (await isUnchanged(record, stubs, before))) {
      if (record.type === 'directory') waiting.push(record)
      continue
    }
    if (record.type === 'whiteout' && (await before(path)) === undefined) continue
    for (const parent of waiting.splice(0)) yield { record: parent, data: nothing() }
    yield { record, data }
  }
}

/** Attributes other than mode and owner are not compared: a directory that has any counts as changed. */
async function isUnchanged(record: TreeRecord, stubs: MountStubs, below: Below): Promise<boolean> {
  if (record.type !== 'directory' || record.opaque === true || (record.xattrs?.size ?? 0) > 0) return false
  const known = stubs.before(record.path)
  if (known !== undefined) return sameDirectory(known, record)
  const before = await below(record.path)
  return before?.isDirectory === true && sameDirectory(before, record)
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`)
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** A view of the layers, mounted when somebody asks for the first time. */
export class LowerTree implements AsyncDisposable {
  readonly #deps: { readonly snapshots: Pick<Snapshots, 'view'>; readonly helper: Pick<Helper, 'pid'> }
  readonly #layers: readonly Digest[]
  readonly #mounted = new AsyncDisposableStack()
  #root: Promise<string> | undefined

  constructor(
    deps: { readonly snapshots: Pick<Snapshots, 'view'>; readonly helper: Pick<Helper, 'pid'> },
    layers: readonly Digest[],
  ) {
    this.#deps = deps
    this.#layers = layers
  }

  /** The caller asks for paths whose parents are directories here. */
  async find(path: string): Promise<TreeRecordFacts | undefined> {
    this.#root ??= this.#mount()
    try {
      const stats = await lstat(join(await this.#root, path))
      return {
        isDirectory: stats.isDirectory(),
        mode: stats.mode & 0o7777,
        uid: stats.uid,
        gid: stats.gid,
      }
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mounted.disposeAsync()
  }

  async #mount(): Promise<string> {
    const view = this.#mounted.use(await this.#deps.snapshots.view(this.#layers))
    return join(`/proc/${this.#deps.helper.pid}/root`, view.path)
  }
}
