import type { BigIntStats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import type { Digest } from '#base/digest.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import { decodeBytes, encodeBytes, type TarType } from '#oci/tar/entry.ts'
import type { TreeRoot } from '#os/tree.ts'
import { Beneath } from './beneath.ts'
import { DiskContents, type DiskContentsDeps } from './disk-contents.ts'
import { unreadable } from './errors.ts'
import { directoryState } from './directory-state.ts'
import type { FileSource, MountableRoot, SourceFile, StateOptions, WalkOptions } from './file-source.ts'
import { NOTHING, nothing } from './nothing.ts'
import { resolveInside } from './resolve-inside.ts'
import { attributesOf, typeOf } from './stat-attributes.ts'
import type { SourceCopies } from './source-copies.ts'
import { Turns } from './turns.ts'

type Attributes = SourceFile['attributes']

export interface DirectoryOptions extends DiskContentsDeps {
  /** Where a copy is made when the files have to be shown otherwise than they are. */
  readonly copies: SourceCopies
  /** How a file is shown; by default it belongs to root. */
  readonly show?: ((attributes: Attributes) => Attributes) | undefined
}

/**
 * The files below a directory of this host, read where they are. Nothing outside of it can be reached. Sockets are left
 * out, and so are extended attributes. `not_found` when there is no such directory.
 */
export async function openDirectory(path: string, options: DirectoryOptions): Promise<FileSource> {
  return new DirectorySource(await directoryAt(path, options.name), options)
}

async function directoryAt(path: string, name: string): Promise<string> {
  try {
    const real = await realpath(path)
    if ((await stat(real)).isDirectory()) return real
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) throw unreadable(path, error)
    throw new EngineError('not_found', `${name}: path "${path}" not found`, {
      code: 'CONTEXT_NOT_FOUND',
      details: { path },
      cause: error,
    })
  }
  throw new EngineError('invalid_argument', `${name}: "${path}" is not a directory`, {
    code: 'CONTEXT_NOT_FOUND',
    details: { path },
  })
}

const ordinary: ReadonlySet<TarType> = new Set(['file', 'directory', 'symlink'])

/** What walking sees of an entry. */
interface Entry {
  /** Byte string. */
  readonly path: string
  readonly stat: BigIntStats
}

class DirectorySource implements FileSource {
  readonly name: string
  readonly #path: string
  readonly #options: DirectoryOptions
  readonly #beneath: Beneath
  readonly #contents: DiskContents
  readonly #show: (attributes: Attributes) => Attributes
  readonly #held = new AsyncDisposableStack()
  #root: Promise<TreeRoot & MountableRoot> | undefined

  constructor(path: string, options: DirectoryOptions) {
    this.name = options.name
    this.#path = path
    this.#options = options
    this.#beneath = this.#held.use(new Beneath(path))
    this.#contents = new DiskContents(this.#beneath, options)
    this.#show = options.show ?? ofRoot
  }

  async *walk(path: string, options: WalkOptions = {}): AsyncGenerator<SourceFile> {
    const start = this.#entry(encodeBytes(path))
    if (start === undefined) return
    const turns = new Turns()
    const links = new Map<string, string>()
    /** What is left of each directory that we are in, the next entry last. */
    const stack = [[start]]
    for (let entries = stack.at(-1); entries !== undefined; entries = stack.at(-1)) {
      const entry = entries.pop()
      if (entry === undefined) {
        stack.pop()
        continue
      }
      options.signal?.throwIfAborted()
      const file = this.#file(entry, links)
      if (file === undefined) continue
      yield file
      const { type, path: shown } = file.attributes
      if (type === 'directory' && options.descend?.(shown) !== false) {
        stack.push(await this.#list(entry.path, turns))
      }
    }
  }

  async find(path: string): Promise<SourceFile | undefined> {
    return resolveInside(path, async (at) => {
      const entry = this.#entry(encodeBytes(at))
      return entry && this.#file(entry)
    })
  }

  async state(path: string, options?: StateOptions): Promise<Digest | undefined> {
    // It would not be the state of what is shown.
    if (this.#options.show !== undefined) return undefined
    const now = BigInt(this.#options.clock.now().getTime()) * 1_000_000n
    return directoryState(this.#beneath, encodeBytes(path), now, options)
  }

  root(): Promise<TreeRoot & MountableRoot> {
    this.#root ??= this.#mountable()
    return this.#root
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.digests?.flush()
    await this.#held.disposeAsync()
  }

  async #mountable(): Promise<TreeRoot & MountableRoot> {
    if (await this.#isAsShown()) return { directory: this.#path, path: this.#path }
    const { path } = this.#held.use(await this.#options.copies.copy(this))
    return { directory: path, path }
  }

  /**
   * Whether a process may be given the directory itself: it would see in it what we show, and nothing that leads to a process
   * of this host, as sockets and pipes do, or to another filesystem, which is not mounted with it.
   */
  async #isAsShown(): Promise<boolean> {
    const root = this.#entry('')
    const turns = new Turns()
    const left = root === undefined ? [] : [root]
    for (let entry = left.pop(); entry !== undefined; entry = left.pop()) {
      const file = this.#file(entry)
      if (file === undefined || !file.shownAsItIs || !ordinary.has(file.attributes.type)) return false
      if (entry.stat.dev !== root?.stat.dev) return false
      if (file.attributes.type !== 'directory') continue
      for (const below of await this.#list(entry.path, turns)) left.push(below)
    }
    return true
  }

  #entry(path: string): Entry | undefined {
    const found = this.#beneath.stat(path)
    return found && { path, stat: found }
  }

  /** The entries of a directory, last name first. */
  async #list(directory: string, turns: Turns): Promise<Entry[]> {
    const names = this.#beneath.names(directory) ?? []
    // Each character is a byte, so this is the order of bytes.
    names.sort()
    const entries: Entry[] = []
    for (const name of names.toReversed()) {
      await turns.next()
      const entry = this.#entry(directory === '' ? name : `${directory}/${name}`)
      if (entry !== undefined) entries.push(entry)
    }
    return entries
  }

  /** `links` has the first names of files with several; undefined for what is in no tree. */
  #file({ path, stat: found }: Entry, links?: Map<string, string>): DirectoryFile | undefined {
    const type = typeOf(found)
    if (type === undefined) return undefined
    const attributes = attributesOf(decodeBytes(path), type, found)
    if (type === 'symlink') {
      const link = this.#beneath.link(path)
      if (link === undefined) return undefined
      return new DirectoryFile(this.#show({ ...attributes, link: decodeBytes(link) }), attributes, undefined)
    }
    if (type !== 'file') return new DirectoryFile(this.#show(attributes), attributes, undefined)
    const first =
      links !== undefined && found.nlink > 1n ? firstName(links, found, attributes.path) : undefined
    if (first !== undefined) {
      const link = { ...attributes, type: 'hardlink', link: first, size: 0 } as const
      return new DirectoryFile(this.#show(link), attributes, undefined)
    }
    const contents = this.#contents
    return new DirectoryFile(this.#show(attributes), attributes, {
      digest: (signal) => contents.digest(path, found, signal),
      read: () => contents.read(path, found),
    })
  }
}

type Content = Pick<SourceFile, 'digest' | 'read'>

class DirectoryFile implements SourceFile {
  readonly attributes: Attributes
  readonly shownAsItIs: boolean
  readonly #content: Content | undefined

  constructor(attributes: Attributes, real: Attributes, content: Content | undefined) {
    this.attributes = attributes
    this.shownAsItIs =
      attributes.uid === real.uid && attributes.gid === real.gid && attributes.mode === real.mode
    this.#content = content
  }

  async digest(signal?: AbortSignal): Promise<Digest> {
    return this.#content === undefined ? NOTHING : this.#content.digest(signal)
  }

  read(): AsyncIterable<Uint8Array> {
    return this.#content === undefined ? nothing() : this.#content.read()
  }
}

function firstName(links: Map<string, string>, { dev, ino }: BigIntStats, path: string): string | undefined {
  const key = `${dev}:${ino}`
  const first = links.get(key)
  if (first === undefined) links.set(key, path)
  return first
}

function ofRoot(attributes: Attributes): Attributes {
  return attributes.uid === 0 && attributes.gid === 0 ? attributes : { ...attributes, uid: 0, gid: 0 }
}
