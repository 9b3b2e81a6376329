import { mkdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { digestOf, hexOf } from '#base/digest.ts'
import { isErrno } from '#base/errors.ts'
import { writeFileDurably } from '#os/files.ts'
import type { Helper } from '#os/helper.ts'
import type { GitOrigin } from '../graph/operations.ts'
import { INDEX, KeptStore } from './kept-store.ts'

export interface GitCheckoutsDeps {
  readonly dataRoot: string
  readonly helper: Pick<Helper, 'removeTree'>
  readonly clock: Clock
  /** Bytes of all that is kept for later; 4 GiB by default. */
  readonly kept?: number | undefined
}

const KEPT = 4 * 2 ** 30

/** A repository's files at a commit, in a directory. */
export interface Checkout {
  readonly commit: string
  /** Of the commit: since 1970. */
  readonly seconds: number
}

interface Index extends Checkout {
  readonly remote: string
  /** Of the machine: what was written before the last start may be torn. */
  readonly boot: string
}

/**
 * Checkouts that are kept, `DATA_ROOT/build/git/<key>/tree`: the same commit is fetched once. They are not synced; after the
 * machine has started again they count for nothing.
 */
export class GitCheckouts {
  readonly store: KeptStore
  readonly #remove: (path: string) => Promise<void>

  constructor({ dataRoot, helper, clock, kept: limit = KEPT }: GitCheckoutsDeps) {
    this.store = new KeptStore({ directory: join(dataRoot, 'build', 'git'), helper, clock, limit })
    this.#remove = (path) => helper.removeTree(path)
  }

  /** What of the origin makes a difference to the files of a commit. */
  keyOf({ remote, keepGitDirectory, submodules }: GitOrigin, object: string): string {
    return hexOf(digestOf(JSON.stringify([remote, object, keepGitDirectory, submodules])))
  }

  /**
   * The checkout with this key, made by `make` in the directory it is given (a `tree` in it is what is kept) if it is not
   * there. It is in use until disposed.
   */
  async open(
    key: string,
    remote: string,
    make: () => Promise<Checkout & { readonly directory: string }>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Checkout & Disposable & { readonly tree: string }> {
    using _lock = await this.store.lock(key, options)
    const place = this.store.path(key)
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    const kept = await readIndex(place)
    const known = kept?.boot === boot ? kept : undefined
    const checkout = known ?? (await this.#keep(place, remote, boot, await make()))
    const use = this.store.use(key)
    await this.store.touch(key)
    const { commit, seconds } = checkout
    return { commit, seconds, tree: join(place, 'tree'), [Symbol.dispose]: () => use[Symbol.dispose]() }
  }

  async describe(key: string): Promise<string> {
    const kept = await readIndex(this.store.path(key))
    return kept === undefined ? 'unfinished git checkout' : `git checkout ${kept.remote} ${kept.commit}`
  }

  async #keep(
    place: string,
    remote: string,
    boot: string,
    { commit, seconds, directory }: Checkout & { readonly directory: string },
  ): Promise<Checkout> {
    await this.#remove(place)
    await mkdir(place, { recursive: true, mode: 0o700 })
    await rename(directory, join(place, 'tree'))
    await writeFileDurably(join(place, INDEX), JSON.stringify({ remote, commit, seconds, boot }))
    return { commit, seconds }
  }
}

async function readIndex(place: string): Promise<Index | undefined> {
  try {
    const { remote, commit, seconds, boot } = JSON.parse(
      await readFile(join(place, INDEX), 'utf8'),
    ) as Partial<Index>
    if (remote === undefined || commit === undefined || seconds === undefined || boot === undefined)
      return undefined
    return { remote, commit, seconds, boot }
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}
