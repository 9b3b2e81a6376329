import type { Stats } from 'node:fs'
import { mkdir, readdir, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { isErrno } from '#base/errors.ts'
import { KeyedMutex } from '#base/mutex.ts'
import type { Helper } from '#os/helper.ts'
import { allocatedBytes } from '#store/usage/blocks.ts'

export interface KeptStoreDeps {
  /** Made when it is needed. */
  readonly directory: string
  readonly helper: Pick<Helper, 'removeTree'>
  readonly clock: Clock
  /** Bytes of all that is kept. */
  readonly limit: number
}

export interface KeptEntry {
  readonly key: string
  /** Bytes on the disk. */
  readonly size: number
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly usedAt: number
  readonly inUse: boolean
}

/** A file in each directory that is written last, and whose time is that of the last use. */
export const INDEX = 'index.json'

/** Milliseconds without use after which something goes. */
const PATIENCE = 14 * 86_400_000

/**
 * What builds have fetched, or clients have sent, and what may be wanted again: a directory each, by key. When it becomes
 * too much, what was used longest ago goes, but nothing that is in use.
 */
export class KeptStore {
  readonly #deps: KeptStoreDeps
  readonly #locks = new KeyedMutex()
  readonly #users = new Map<string, number>()
  /** A checkout may have many files, and changes only when its index is written anew. */
  readonly #sizes = new Map<string, { readonly index: string; readonly size: number }>()

  constructor(deps: KeptStoreDeps) {
    this.#deps = deps
  }

  path(key: string): string {
    return join(this.#deps.directory, key)
  }

  /** Whoever changes what is below the path holds it. */
  lock(key: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Disposable> {
    return this.#locks.acquire(key, options)
  }

  /** Nothing of it is removed until this is disposed. */
  use(key: string): Disposable {
    const count = (by: number): void => {
      const users = (this.#users.get(key) ?? 0) + by
      if (users === 0) this.#users.delete(key)
      else this.#users.set(key, users)
    }
    count(1)
    let using = true
    return {
      [Symbol.dispose]: () => {
        if (using) count(-1)
        using = false
      },
    }
  }

  async touch(key: string): Promise<void> {
    const now = this.#deps.clock.now()
    await utimes(join(this.path(key), INDEX), now, now)
  }

  /** The one that was used longest ago first. */
  async list(): Promise<readonly KeptEntry[]> {
    await mkdir(this.#deps.directory, { recursive: true, mode: 0o700 })
    const all: KeptEntry[] = []
    for (const key of await readdir(this.#deps.directory)) {
      const path = this.path(key)
      const made = await statsOf(path)
      if (made === undefined) continue
      const index = await statsOf(join(path, INDEX))
      all.push({
        key,
        size: await this.#sizeOf(key, index),
        createdAt: made.birthtimeMs,
        usedAt: (index ?? made).mtimeMs,
        inUse: this.#users.has(key),
      })
    }
    return all.sort((a, b) => a.usedAt - b.usedAt)
  }

  /** False when it is in use. */
  async remove(key: string): Promise<boolean> {
    using _lock = await this.lock(key)
    if (this.#users.has(key)) return false
    this.#sizes.delete(key)
    await this.#deps.helper.removeTree(this.path(key))
    return true
  }

  /** Removes what nobody has used for long, and of the rest so much that it is little enough. */
  async tidy(): Promise<void> {
    const { clock, limit } = this.#deps
    const oldest = clock.now().getTime() - PATIENCE
    const all = await this.list()
    let left = all.reduce((sum, { size }) => sum + size, 0)
    for (const { key, size, usedAt } of all) {
      if (usedAt >= oldest && left <= limit) return
      if (await this.remove(key)) left -= size
    }
  }

  async #sizeOf(key: string, index: Stats | undefined): Promise<number> {
    const known = this.#sizes.get(key)
    // The clock of a file system goes in steps of some milliseconds: its time alone does not tell one from the next.
    const which = index === undefined ? undefined : `${index.ino} ${index.birthtimeMs}`
    if (known !== undefined && known.index === which) return known.size
    const size = await allocatedBytes(this.path(key))
    if (which !== undefined) this.#sizes.set(key, { index: which, size })
    return size
  }
}

async function statsOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}
