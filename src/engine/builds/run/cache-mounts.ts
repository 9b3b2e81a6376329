import { createHash, randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, readFile, readdir, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { isErrno } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { KeyedMutex, abortable } from '#base/mutex.ts'
import type { FileOrigin, RunMount } from '#build/graph/operations.ts'
import type { FileSource } from '#build/sources/file-source.ts'
import type { Helper } from '#os/helper.ts'
import type { Trees } from '#os/tree.ts'
import { storageError } from '#store/snapshots/errors.ts'
import { allocatedBytes } from '#store/usage/blocks.ts'
import { cacheMountInUse, noSuchMountSource } from './errors.ts'

export type CacheMount = Extract<RunMount, { type: 'cache' }>

/** A cache as `builder du` shows it. */
export interface CacheMountUsage {
  /** What `remove` takes. */
  readonly key: string
  /** As the Dockerfile says it, with its namespace. */
  readonly id: string
  /** Bytes that removing it frees. */
  readonly size: number
  readonly createdAt: Date
  readonly lastUsedAt: Date
  readonly uses: number
  readonly inUse: boolean
}

export interface HeldCache extends AsyncDisposable {
  readonly path: string
}

export interface CacheMountsDeps {
  readonly dataRoot: string
  readonly trees: Pick<Trees, 'read' | 'write'>
  readonly helper: Pick<Helper, 'removeTree'>
  readonly clock: Clock
  readonly logger: Logger
}

/** `mount.json` beside the directory that steps see. */
interface Note {
  readonly id: string
  readonly createdAt: string
  readonly lastUsedAt: string
  readonly uses: number
}

interface Holders {
  readonly sharing: CacheMount['sharing']
  count: number
}

const NAME = /^[0-9a-f]{64}(?:\.\d+)?$/

/**
 * Directories that steps keep between builds, `build/cache-mounts/KEY/data` below the data root. The key is the digest of all
 * that makes two mounts the same one: id, owner and mode, and what an empty one begins with; so there is never a path inside
 * of a cache to be followed while a step is writing there (CVE-2024-23651). A cache with `private` or `locked` sharing belongs to
 * one step at a time; one that finds it taken gets one of its own (`KEY.1`), or waits.
 */
export class CacheMounts {
  readonly #deps: CacheMountsDeps
  readonly #root: string
  readonly #locks = new KeyedMutex()
  readonly #held = new Map<string, Holders>()
  /** What caches were found to take after so many uses. */
  readonly #sizes = new Map<string, { readonly uses: number; readonly size: number }>()
  /** Who waits for a cache of this key to be given back. */
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(deps: CacheMountsDeps) {
    this.#deps = deps
    this.#root = join(deps.dataRoot, 'build', 'cache-mounts')
  }

  /** Clears away what a crash has left half made or half removed. */
  async recover(): Promise<void> {
    for (const name of await this.#names(() => true)) {
      if (!NAME.test(name)) await this.#deps.helper.removeTree(join(this.#root, name))
    }
  }

  /**
   * The cache of a mount, for one step until it is disposed. `open` gives what an empty one begins with. Waits while a locked
   * one is somebody else's.
   */
  async acquire(
    mount: CacheMount,
    open: (origin: FileOrigin) => Promise<FileSource>,
    signal: AbortSignal,
  ): Promise<HeldCache> {
    const key = cacheKey(mount)
    for (;;) {
      using given = this.#awaitGiven(key)
      const held = await this.#take(key, mount, open, signal)
      if (held !== undefined) return held
      await abortable(given.promise, signal)
    }
  }

  async list(): Promise<readonly CacheMountUsage[]> {
    const names = await this.#names((name) => NAME.test(name))
    const all = await Promise.all(names.map((name) => this.#usage(name)))
    return all.filter((usage) => usage !== undefined)
  }

  /** Removes a cache and gives the bytes that this has freed; 0 when it is not there. `conflict` while a step has it. */
  async remove(key: string): Promise<number> {
    if (!NAME.test(key)) return 0
    using _lock = await this.#locks.acquire(key.slice(0, 64))
    if (this.#held.has(key)) throw cacheMountInUse(key)
    const path = join(this.#root, key)
    const size = await allocatedBytes(path)
    const gone = join(this.#root, `removed-${randomBytes(8).toString('hex')}`)
    try {
      await rename(path, gone)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return 0
      throw error
    }
    this.#sizes.delete(key)
    await this.#deps.helper.removeTree(gone)
    return size
  }

  /** Undefined when all of them are somebody else's and this one is to wait. */
  async #take(
    key: string,
    mount: CacheMount,
    open: (origin: FileOrigin) => Promise<FileSource>,
    signal: AbortSignal,
  ): Promise<HeldCache | undefined> {
    using _lock = await this.#locks.acquire(key, { signal })
    const names = await this.#names((name) => name === key || name.startsWith(`${key}.`))
    const { sharing } = mount
    const joined =
      sharing === 'shared' ? names.find((name) => this.#held.get(name)?.sharing === 'shared') : undefined
    const free = joined ?? names.find((name) => !this.#held.has(name))
    if (free === undefined && sharing === 'locked' && names.length > 0) return undefined
    const name = free ?? nextName(key, names)
    if (free === undefined) await this.#make(name, mount, open, signal)
    return this.#hold(name, key, mount)
  }

  #hold(name: string, key: string, { id, sharing }: CacheMount): HeldCache {
    const holders = this.#held.get(name) ?? { sharing, count: 0 }
    holders.count++
    this.#held.set(name, holders)
    let held = true
    return {
      path: join(this.#root, name, 'data'),
      [Symbol.asyncDispose]: async () => {
        if (!held) return
        held = false
        await this.#note(name, id)
        if (--holders.count === 0) this.#held.delete(name)
        for (const wake of this.#waiting.get(key) ?? []) wake()
      },
    }
  }

  /** Whole or not at all. */
  async #make(
    name: string,
    mount: CacheMount,
    open: (origin: FileOrigin) => Promise<FileSource>,
    signal: AbortSignal,
  ): Promise<void> {
    const staged = join(this.#root, `new-${randomBytes(8).toString('hex')}`)
    const data = join(staged, 'data')
    try {
      await mkdir(staged, { recursive: true, mode: 0o700 })
      await mkdir(data)
      await chown(data, mount.uid, mount.gid)
      await chmod(data, mount.mode & 0o7777)
      if (mount.from !== undefined) await this.#fill(data, mount.source, await open(mount.from), signal)
      await writeFile(join(staged, 'mount.json'), noteText(newNote(mount.id, this.#deps.clock.now())))
      await rename(staged, join(this.#root, name))
    } catch (error) {
      await this.#deps.helper.removeTree(staged)
      throw storageError(error, staged)
    }
  }

  async #fill(data: string, path: string, source: FileSource, signal: AbortSignal): Promise<void> {
    await using origin = source
    const { trees } = this.#deps
    const clean = path
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/')
    const found = await origin.find(clean)
    if (found?.attributes.type !== 'directory') throw noSuchMountSource(clean, origin.name)
    const entries = trees.read(await origin.root(), `/${found.attributes.path}`, { name: '', signal })
    await trees.write({ directory: data }, '/', entries, { sparse: true, signal })
  }

  /** Begun before one looks, so that nothing that is given back meanwhile is missed. */
  #awaitGiven(key: string): Disposable & { readonly promise: Promise<void> } {
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiting.add(resolve))
    return {
      promise,
      [Symbol.dispose]: () => {
        waiting.delete(resolve)
        if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key)
      },
    }
  }

  /** A note that cannot be written makes a cache look older than it is, and fails no build. */
  async #note(name: string, id: string): Promise<void> {
    const file = join(this.#root, name, 'mount.json')
    const now = this.#deps.clock.now()
    try {
      const before = (await readNote(file)) ?? newNote(id, now)
      const note = { ...before, lastUsedAt: now.toISOString(), uses: before.uses + 1 }
      const aside = `${file}.${randomBytes(4).toString('hex')}`
      await writeFile(aside, noteText(note))
      await rename(aside, file)
    } catch (error) {
      this.#deps.logger.warn('the use of a cache mount cannot be noted', { id, error })
    }
  }

  async #usage(name: string): Promise<CacheMountUsage | undefined> {
    const path = join(this.#root, name)
    const [note, made] = await Promise.all([readNote(join(path, 'mount.json')), stat(path).catch(missing)])
    if (made === undefined) return undefined
    const size = await this.#size(name, note?.uses)
    return {
      key: name,
      id: note?.id ?? name,
      size,
      createdAt: note === undefined ? made.mtime : new Date(note.createdAt),
      lastUsedAt: note === undefined ? made.mtime : new Date(note.lastUsedAt),
      uses: note?.uses ?? 0,
      inUse: this.#held.has(name),
    }
  }

  /** A cache may have very many files, which only its users change: they are counted once after each use. */
  async #size(name: string, uses: number | undefined): Promise<number> {
    const known = this.#sizes.get(name)
    if (known !== undefined && known.uses === uses && !this.#held.has(name)) return known.size
    const size = await allocatedBytes(join(this.#root, name))
    if (uses !== undefined && !this.#held.has(name)) this.#sizes.set(name, { uses, size })
    return size
  }

  /** In the order in which they were made. */
  async #names(wanted: (name: string) => boolean): Promise<readonly string[]> {
    try {
      const names = (await readdir(this.#root)).filter(wanted)
      return names.toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1))
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return []
      throw error
    }
  }
}

/** The same for mounts that are the same cache. */
export function cacheKey({ id, from, source, mode, uid, gid }: CacheMount): string {
  const contents = from === undefined ? { mode, uid, gid } : { from: originName(from), source }
  return createHash('sha256')
    .update(JSON.stringify([id, contents]))
    .digest('hex')
}

function originName(origin: FileOrigin): string {
  switch (origin.kind) {
    case 'scratch':
      return 'scratch'
    case 'image':
      return `image ${origin.id}`
    case 'context':
      return `context ${origin.name}`
    case 'download':
      return `download ${origin.url}`
    case 'git':
      return `git ${origin.remote} ${origin.ref ?? ''} ${origin.directory ?? ''}`
    case 'run':
    case 'copy':
    case 'directory':
      return `stage ${origin.label.stage}`
  }
}

function nextName(key: string, names: readonly string[]): string {
  for (let i = 0; ; i++) {
    const name = i === 0 ? key : `${key}.${i}`
    if (!names.includes(name)) return name
  }
}

function newNote(id: string, now: Date): Note {
  return { id, createdAt: now.toISOString(), lastUsedAt: now.toISOString(), uses: 0 }
}

function noteText(note: Note): string {
  return `${JSON.stringify(note)}\n`
}

/** Undefined when there is none that can be read. */
async function readNote(file: string): Promise<Note | undefined> {
  try {
    const note = JSON.parse(await readFile(file, 'utf8')) as Partial<Note>
    const { id, createdAt, lastUsedAt, uses } = note
    if (id === undefined || createdAt === undefined || lastUsedAt === undefined) return undefined
    return { id, createdAt, lastUsedAt, uses: uses ?? 0 }
  } catch (error) {
    if (error instanceof SyntaxError || isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

function missing(error: unknown): undefined {
  if (isErrno(error, 'ENOENT')) return undefined
  throw error
}
