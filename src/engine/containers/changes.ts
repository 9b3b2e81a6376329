import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilesystemChange } from '#api/generated/types.ts'
import { isErrno } from '#base/errors.ts'
import type { Helper } from '#os/helper.ts'
import type { Trees } from '#os/tree.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Container } from './container.ts'
import { generatedParents, isGenerated } from './generated-places.ts'

/** Docker's `Kind`. */
const MODIFIED = 0
const ADDED = 1
const DELETED = 2

export interface ChangesDeps {
  readonly snapshots: Snapshots
  readonly trees: Trees
  readonly helper: Helper
  readonly upper: (id: string) => string
}

/** What a container has changed in its root filesystem, from its upper directory and a view of its image. */
export class Changes {
  readonly #deps: ChangesDeps

  constructor(deps: ChangesDeps) {
    this.#deps = deps
  }

  /** Sorted by path; a directory comes before what is in it. */
  async of(container: Container): Promise<FilesystemChange[]> {
    const { snapshots, trees, helper, upper } = this.#deps
    await using view = await snapshots.view(container.layers)
    const image = new ImageTree(join(`/proc/${helper.pid}/root`, view.path))
    const changes: FilesystemChange[] = []
    const records = trees.read({ directory: upper(container.id) }, '/', {
      upperDir: true,
      name: '',
      data: false,
    })
    for await (const { record } of records) {
      if (record.path === '' || isGenerated(record)) continue
      const before = await image.has(record.path)
      // A file that is gone again, and had never been in the image, is no change.
      if (record.type === 'whiteout' && !before) continue
      const kind = record.type === 'whiteout' ? DELETED : before ? MODIFIED : ADDED
      changes.push({ Path: `/${record.path}`, Kind: kind })
    }
    return withoutEmptied(changes).sort((a, b) => ((a.Path ?? '') < (b.Path ?? '') ? -1 : 1))
  }
}

/** A directory changed only by a place that the engine made in it has not been changed by the container. */
function withoutEmptied(changes: readonly FilesystemChange[]): FilesystemChange[] {
  return changes.filter(({ Path, Kind }) => {
    if (Kind !== MODIFIED || !generatedParents.has(Path ?? '')) return true
    return changes.some((other) => other.Path?.startsWith(`${Path}/`) === true)
  })
}

/** Existence of paths in an image; a symlink on the way is not followed, for it would lead out of the image. */
class ImageTree {
  readonly #root: string
  readonly #isDirectory = new Map<string, boolean>([['', true]])

  constructor(root: string) {
    this.#root = root
  }

  async has(path: string): Promise<boolean> {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
    const inside = this.#isDirectory.get(parent) ?? (await this.has(parent), this.#isDirectory.get(parent))
    if (inside !== true) {
      this.#isDirectory.set(path, false)
      return false
    }
    try {
      this.#isDirectory.set(path, (await lstat(join(this.#root, path))).isDirectory())
      return true
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
      this.#isDirectory.set(path, false)
      return false
    }
  }
}
