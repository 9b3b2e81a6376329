import { constants } from 'node:fs'
import { lstat, open, readdir, type FileHandle } from 'node:fs/promises'
import { isErrno } from '#base/errors.ts'

/** Every level holds a descriptor; what lies deeper is not counted. */
const MAX_DEPTH = 2048
/** Files looked at together: enough to keep the thread pool busy, few enough to leave it to others in between. */
/** Where there is a directory per container or layer, so many are counted at a time: each holds a descriptor or two. */
const WIDE_DEPTH = 1
const WIDTH = 16
const BATCH = 16

/** Names the pile that `path` (relative, without leading slash) is added to; undefined: that of its directory. */
export type PileOf = (path: string, isDirectory: boolean) => string | undefined

/**
 * Bytes in allocated blocks of everything below and including `root`, as `du` counts them: each inode once, directories
 * too. Added up by pile; the root itself is the path ''. The tree may change meanwhile, even by a hostile container's
 * hand: what vanishes is not counted, and each directory is entered through the descriptor of its parent, never through
 * a symbolic link.
 */
export async function countBlocks(
  root: string,
  pileOf: PileOf,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Map<string, number>> {
  const count = new Count(pileOf, options.signal)
  const stats = await lstat(root).catch(gone)
  if (stats === undefined) return count.piles
  const pile = pileOf('', stats.isDirectory()) ?? ''
  count.add(pile, stats)
  if (stats.isDirectory()) await count.directory(root, '', pile, 0)
  return count.piles
}

/** Bytes in allocated blocks of everything below `root` but its directories; hard links count once. */
export async function fileBytes(root: string): Promise<number> {
  const piles = await countBlocks(root, (_path, isDirectory) => (isDirectory ? 'directories' : 'files'))
  return piles.get('files') ?? 0
}

/**
 * Bytes in allocated blocks that removing a file or tree frees; none when it is not there. What has another name
 * elsewhere stays.
 */
export async function allocatedBytes(path: string): Promise<number> {
  const count = new Count(() => undefined, undefined, 'with the last name')
  const stats = await lstat(path).catch(gone)
  if (stats === undefined) return 0
  count.add('', stats)
  if (stats.isDirectory()) await count.directory(path, '', '', 0)
  return count.piles.get('') ?? 0
}

interface Inode {
  readonly dev: number
  readonly ino: number
  readonly nlink: number
  readonly blocks: number
  isDirectory(): boolean
}

class Count {
  readonly piles = new Map<string, number>()
  readonly #pileOf: PileOf
  readonly #signal: AbortSignal | undefined
  readonly #when: 'with the first name' | 'with the last name'
  /** Names that were seen of each inode that has several. */
  readonly #names = new Map<string, number>()

  constructor(
    pileOf: PileOf,
    signal: AbortSignal | undefined,
    when: 'with the first name' | 'with the last name' = 'with the first name',
  ) {
    this.#pileOf = pileOf
    this.#signal = signal
    this.#when = when
  }

  add(pile: string, stats: Inode): void {
    if (stats.nlink > 1 && !stats.isDirectory()) {
      const inode = `${stats.dev}:${stats.ino}`
      const names = (this.#names.get(inode) ?? 0) + 1
      this.#names.set(inode, names)
      if (names !== (this.#when === 'with the first name' ? 1 : stats.nlink)) return
    }
    this.piles.set(pile, (this.piles.get(pile) ?? 0) + stats.blocks * 512)
  }

  async directory(at: string, path: string, pile: string, depth: number): Promise<void> {
    if (depth === MAX_DEPTH) return
    const opened = await openDirectory(at)
    if (opened === undefined) return
    await using handle = opened
    const base = `/proc/self/fd/${handle.fd}`
    const names = await readdir(base)
    await using side = new Side(depth === WIDE_DEPTH ? WIDTH : 1)
    for (let from = 0; from < names.length; from += BATCH) {
      this.#signal?.throwIfAborted()
      const batch = names.slice(from, from + BATCH)
      const all = await Promise.all(batch.map((name) => lstat(`${base}/${name}`).catch(gone)))
      for (const [i, stats] of all.entries()) {
        if (stats === undefined) continue
        const name = batch[i] ?? ''
        const child = path === '' ? name : `${path}/${name}`
        const own = this.#pileOf(child, stats.isDirectory()) ?? pile
        this.add(own, stats)
        if (!stats.isDirectory()) continue
        await side.add(this.directory(`${base}/${name}`, child, own, depth + 1))
      }
    }
    await side.settled()
  }
}

/** So much at a time; disposed only when nothing of it goes on, since all use the descriptor of one directory. */
class Side implements AsyncDisposable {
  readonly #width: number
  #under: Promise<void>[] = []

  constructor(width: number) {
    this.#width = width
  }

  async add(work: Promise<void>): Promise<void> {
    if (this.#under.push(work) >= this.#width) await this.settled()
    // Told when they settle.
    else work.catch(() => undefined)
  }

  /** Rejects as the first of them that has failed. */
  async settled(): Promise<void> {
    const under = this.#under
    this.#under = []
    const failed = (await Promise.allSettled(under)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#under)
  }
}

async function openDirectory(path: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
  return open(path, flags).catch(gone)
}

/** Removed, or replaced by something that is no directory, since it was listed. */
function gone(error: unknown): undefined {
  if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined
  throw error
}
