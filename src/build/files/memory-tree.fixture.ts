/** A tree of files in memory, as source of a COPY, as layers below one, and as what layers amount to. For tests. */
import type { Digest } from '#base/digest.ts'
import { digestOf } from '#base/digest.ts'
import type { TarType } from '#oci/tar/entry.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { parseWhiteout } from '#oci/tar/whiteouts.ts'
import type { FileSource, SourceFile, WalkOptions } from '../sources/file-source.ts'
import { resolveInside } from '../sources/resolve-inside.ts'
import type { FilesBelow } from './files-below.ts'

export interface MemoryFile {
  readonly type: Exclude<TarType, 'hardlink'>
  mode: number
  uid: number
  gid: number
  /** Seconds. */
  mtime: number
  readonly content: Buffer
  readonly link?: string
  readonly major?: number
  readonly minor?: number
  xattrs?: ReadonlyMap<string, Uint8Array>
}

type Options = Partial<Omit<MemoryFile, 'type' | 'content' | 'link'>>

const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 1_700_000_000, content: Buffer.alloc(0) }

export function file(content = '', options: Options = {}): MemoryFile {
  return { ...plain, type: 'file', ...options, content: Buffer.from(content) }
}

export function directory(options: Options = {}): MemoryFile {
  return { ...plain, type: 'directory', mode: 0o755, ...options }
}

export function symlink(link: string, options: Options = {}): MemoryFile {
  return { ...plain, type: 'symlink', mode: 0o777, ...options, link }
}

export function special(type: 'char' | 'block' | 'fifo', options: Options = {}): MemoryFile {
  return { ...plain, type, ...options }
}

export class MemoryTree {
  /** By path; the root is `''`. The same file under several names is a hard link. */
  readonly files: Map<string, MemoryFile>

  /** Missing parents are made. */
  constructor(files: Readonly<Record<string, MemoryFile>> = {}) {
    this.files = new Map([['', directory()]])
    for (const [path, each] of Object.entries(files)) this.set(path, each)
  }

  copy(): MemoryTree {
    const copied = new MemoryTree()
    copied.files.clear()
    for (const [path, each] of this.files) copied.files.set(path, each)
    return copied
  }

  set(path: string, each: MemoryFile): void {
    const slash = path.lastIndexOf('/')
    if (slash > 0 && !this.files.has(path.slice(0, slash))) this.set(path.slice(0, slash), directory())
    this.files.set(path, each)
  }

  removeBelow(path: string): void {
    const prefix = path === '' ? '' : `${path}/`
    for (const name of this.files.keys()) {
      if (name !== '' && name.startsWith(prefix) && name !== path) this.files.delete(name)
    }
  }

  remove(path: string): void {
    this.removeBelow(path)
    this.files.delete(path)
  }

  /** A directory before what is in it, names in byte order. */
  paths(below = ''): string[] {
    const prefix = below === '' ? '' : `${below}/`
    const paths = [...this.files.keys()].filter((path) => path === below || path.startsWith(prefix))
    return paths.sort((a, b) => (a.replaceAll('/', '\0') < b.replaceAll('/', '\0') ? -1 : 1))
  }

  /** One line per name; of a hard link its first name. Times only where they are asked for. */
  listing({ times = false }: { readonly times?: boolean } = {}): string[] {
    const names = new Map<MemoryFile, string>()
    return this.paths()
      .filter((path) => path !== '')
      .map((path) => {
        const each = this.files.get(path) as MemoryFile
        const first = each.type === 'directory' ? undefined : names.get(each)
        if (first === undefined) names.set(each, path)
        const what = first === undefined ? contentOf(each) : ` = ${first}`
        const time = times ? ` @${each.mtime}` : ''
        return `${each.mode.toString(8)} ${each.uid}:${each.gid} ${each.type} ${path}${what}${time}`
      })
  }

  source(name = 'build context'): MemorySource {
    return new MemorySource(name, this)
  }

  below(): FilesBelow {
    return {
      at: (path) => {
        const each = this.files.get(path)
        return each && attributesOf(path, each)
      },
      describe: async (paths) =>
        new Map(paths.map((path) => [path, attributesOf(path, this.files.get(path) as MemoryFile)])),
      read: (path) => chunk(this.files.get(path)?.content ?? Buffer.alloc(0)),
      [Symbol.asyncDispose]: async () => undefined,
    }
  }

  /** Applies a layer as OCI has it (layer.md "Applying Changesets"): first what it hides, then what it has. */
  async apply(tar: AsyncIterable<Uint8Array>): Promise<void> {
    const bytes = Buffer.concat(await Array.fromAsync(tar))
    for await (const { entry } of readTar(chunk(bytes))) {
      const slash = entry.path.lastIndexOf('/')
      const above = entry.path.slice(0, Math.max(slash, 0))
      const whiteout = parseWhiteout(entry.path.slice(slash + 1))
      if (whiteout.kind === 'opaque') this.removeBelow(above)
      else if (whiteout.kind === 'whiteout') this.remove(`${above}/${whiteout.name}`)
    }
    for await (const { entry, data } of readTar(chunk(bytes))) {
      const { path, type } = entry
      if (parseWhiteout(path.slice(path.lastIndexOf('/') + 1)).kind !== 'none') continue
      const before = this.files.get(path)
      if (before !== undefined && (before.type !== 'directory' || type !== 'directory')) this.remove(path)
      if (type === 'hardlink') {
        this.files.set(path, this.files.get(entry.link ?? '') as MemoryFile)
        continue
      }
      const { mode, uid, gid, mtime, link, major, minor, xattrs } = entry
      const content = Buffer.concat(await Array.fromAsync(data))
      this.files.set(path, {
        type,
        mode,
        uid,
        gid,
        mtime: mtime.seconds,
        content,
        ...(link === undefined ? {} : { link }),
        ...(major === undefined ? {} : { major }),
        ...(minor === undefined ? {} : { minor }),
        ...(xattrs === undefined ? {} : { xattrs }),
      })
    }
  }
}

export class MemorySource implements FileSource {
  readonly name: string
  /** Files whose content was read or asked for its digest. */
  readonly reads: string[] = []
  readonly digests: string[] = []
  disposed = false
  ignoredBy: (path: string) => string | undefined = () => undefined
  readonly #tree: MemoryTree

  constructor(name: string, tree: MemoryTree) {
    this.name = name
    this.#tree = tree
  }

  async *walk(path: string, { descend, signal }: WalkOptions = {}): AsyncGenerator<SourceFile> {
    const names = new Map<MemoryFile, string>()
    let skipped: string | undefined
    for (const at of this.#tree.paths(path)) {
      signal?.throwIfAborted()
      if (skipped !== undefined && at.startsWith(skipped)) continue
      const each = this.#tree.files.get(at) as MemoryFile
      yield this.#file(at, each, names)
      if (each.type === 'directory' && descend?.(at) === false) skipped = at === '' ? '' : `${at}/`
    }
  }

  async find(path: string): Promise<SourceFile | undefined> {
    return resolveInside(path, async (at) => {
      const each = this.#tree.files.get(at)
      return each && this.#file(at, each, new Map())
    })
  }

  root(): never {
    throw new Error('files in memory cannot be mounted')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true
  }

  #file(path: string, each: MemoryFile, names: Map<MemoryFile, string>): SourceFile {
    const first = each.type === 'directory' ? undefined : names.get(each)
    if (first === undefined) names.set(each, path)
    const attributes = attributesOf(path, each)
    const { content } = each
    return {
      attributes:
        first === undefined ? attributes : { ...attributes, type: 'hardlink', link: first, size: 0 },
      digest: async (): Promise<Digest> => {
        this.digests.push(path)
        return digestOf(content)
      },
      read: () => {
        this.reads.push(path)
        return chunk(content)
      },
    }
  }
}

function attributesOf(path: string, each: MemoryFile): SourceFile['attributes'] {
  const { type, mode, uid, gid, mtime, content, link, major, minor, xattrs } = each
  return {
    path,
    type,
    mode,
    uid,
    gid,
    mtime: { seconds: mtime, nanoseconds: 0 },
    size: content.length,
    ...(link === undefined ? {} : { link }),
    ...(major === undefined ? {} : { major }),
    ...(minor === undefined ? {} : { minor }),
    ...(xattrs === undefined ? {} : { xattrs }),
  }
}

function contentOf({ type, content, link, major, minor, xattrs }: MemoryFile): string {
  const attributes = [...(xattrs ?? [])].map(([name, value]) => ` ${name}=${Buffer.from(value).toString()}`)
  const what =
    type === 'file'
      ? ` ${JSON.stringify(content.toString())}`
      : type === 'symlink'
        ? ` -> ${link}`
        : major === undefined
          ? ''
          : ` ${major}:${minor}`
  return `${what}${attributes.join('')}`
}

async function* chunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}
