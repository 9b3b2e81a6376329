import { randomBytes } from 'node:crypto'
import { chmod, lstat, mkdir, readdir, rename } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { Logger } from '#base/logger.ts'
import { isErrno } from '#base/errors.ts'
import type { Helper } from '#os/helper.ts'
import { syncDirectory } from '#os/files.ts'
import { storageError } from './errors.ts'

/** A directory being filled; disposing removes it unless it was committed. */
export interface StagedDirectory extends AsyncDisposable {
  readonly path: string
  /**
   * Gives it its final place, which must not exist or be an empty directory. Its entries and the rename survive a power
   * cut once this resolves; its files must have been synced before.
   */
  commit(target: string): Promise<void>
}

export interface DataDirectoryDeps {
  readonly dataRoot: string
  readonly helper: Pick<Helper, 'removeTree'>
  readonly logger: Logger
}

/**
 * The part of the data root that layers and snapshots live in:
 *
 *     layers/sha256/<hex>/         committed layers, immutable
 *     snapshots/<id>/{upper,work}  writable directories of containers
 *     staging/<random>/            being made
 *     trash/<random>/              being removed
 *     empty/                       stands in for the layers of an image without any
 *
 * Things come into the first two and leave them by a rename only, so after a crash there is nothing half made
 * outside staging and trash.
 */
export class DataDirectory {
  readonly layers: string
  readonly snapshots: string
  readonly empty: string
  readonly #staging: string
  readonly #trash: string
  readonly #deps: DataDirectoryDeps
  readonly #removals = new Set<Promise<void>>()
  /** Paths in staging and trash that somebody works on. */
  readonly #busy = new Set<string>()

  constructor(deps: DataDirectoryDeps) {
    this.#deps = deps
    this.layers = join(deps.dataRoot, 'layers', 'sha256')
    this.snapshots = join(deps.dataRoot, 'snapshots')
    this.empty = join(deps.dataRoot, 'empty')
    this.#staging = join(deps.dataRoot, 'staging')
    this.#trash = join(deps.dataRoot, 'trash')
  }

  /** Makes the directories and empties what a crash has left; the space is freed in the background. */
  async recover(): Promise<void> {
    await mkdir(this.#deps.dataRoot, { recursive: true, mode: 0o700 })
    // Layers hold setuid programs: nobody but root may get at them (CVE-2021-41091).
    await chmod(this.#deps.dataRoot, 0o700)
    for (const path of [this.layers, this.snapshots, this.empty, this.#staging, this.#trash]) {
      await mkdir(path, { recursive: true, mode: 0o755 })
    }
    for (const name of await readdir(this.#staging)) await this.discard(join(this.#staging, name))
    for (const name of await readdir(this.#trash)) this.#remove(join(this.#trash, name))
  }

  /** A path in staging that nobody else has. */
  stagingPath(): string {
    return join(this.#staging, randomBytes(8).toString('hex'))
  }

  async stage(): Promise<StagedDirectory> {
    const path = this.stagingPath()
    this.#busy.add(path)
    await mkdir(path, { mode: 0o755 }).catch((error: unknown) => {
      this.#busy.delete(path)
      throw error
    })
    let committed = false
    return {
      path,
      commit: async (target) => {
        await syncDirectory(path)
        await rename(path, target)
        committed = true
        await syncDirectory(dirname(target))
      },
      [Symbol.asyncDispose]: async () => {
        try {
          if (!committed) await this.#deps.helper.removeTree(path)
        } finally {
          this.#busy.delete(path)
        }
      },
    }
  }

  /** Makes `path` disappear at once and frees its space in the background; false when it is not there. */
  async discard(path: string): Promise<boolean> {
    const target = join(this.#trash, randomBytes(8).toString('hex'))
    try {
      await rename(path, target)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false
      throw storageError(error, path)
    }
    this.#remove(target)
    return true
  }

  /** Resolves when everything in the trash is gone. */
  async idle(): Promise<void> {
    while (this.#removals.size > 0) await Promise.all(this.#removals)
  }

  /**
   * What lies in staging and trash and nobody works on, by path below the data root. Others stage here too, for a moment
   * each: what is young is left out.
   */
  async leftovers(): Promise<readonly string[]> {
    const { dataRoot } = this.#deps
    const found: string[] = []
    for (const place of [this.#staging, this.#trash]) {
      for (const name of await readdir(place)) {
        const path = join(place, name)
        if (!this.#busy.has(path) && (await isOld(path))) found.push(relative(dataRoot, path))
      }
    }
    return found
  }

  async removeLeftover(path: string): Promise<void> {
    await this.#deps.helper.removeTree(join(this.#deps.dataRoot, path))
  }

  #remove(path: string): void {
    this.#busy.add(path)
    const removal = this.#deps.helper
      .removeTree(path)
      // It stays in the trash, which is emptied again at the next start.
      .catch((error: unknown) => this.#deps.logger.warn('cannot remove from the trash', { path, error }))
      .finally(() => {
        this.#busy.delete(path)
        this.#removals.delete(removal)
      })
    this.#removals.add(removal)
  }
}

/** Milliseconds: longer than anything takes that is staged outside of stage(). */
const YOUNG = 60_000

async function isOld(path: string): Promise<boolean> {
  try {
    return Date.now() - (await lstat(path)).mtimeMs > YOUNG
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}
