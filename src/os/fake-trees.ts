import { EngineError } from '#base/errors.ts'
import type { ReadTreeOptions, TreeEntry, TreeRecord, TreeRoot, Trees, WriteTreeOptions } from './tree.ts'

/** A file that several names may share. */
interface Node {
  record: TreeRecord
  content: Uint8Array
}

type Files = Map<string, Node>

/**
 * Trees in memory, one per root, for tests. Knows neither mounts nor layers: `oneFileSystem`, `upperDir` and `layer` change
 * nothing.
 */
export class FakeTrees implements Trees {
  readonly #roots = new Map<string, Files>()

  async stat(root: TreeRoot, path: string, options: { readonly follow?: boolean } = {}): Promise<TreeRecord> {
    const files = this.#files(root)
    const at = resolve(files, path, options.follow === true)
    return { ...nodeAt(files, at).record, path: at.slice(at.lastIndexOf('/') + 1) }
  }

  async *read(root: TreeRoot, path: string, options: ReadTreeOptions = {}): AsyncGenerator<TreeEntry> {
    const files = this.#files(root)
    const at = resolve(files, path, options.follow === true)
    nodeAt(files, at)
    const top = options.name ?? path.replace(/\/+$/, '').split('/').at(-1) ?? ''
    const seen = new Map<Node, string>()
    for (const [name, node] of below(files, at)) {
      options.signal?.throwIfAborted()
      const record = named(node, `${top}${name.slice(at.length)}`.replace(/^\//, ''), seen)
      if (record.path === '') continue
      yield { record, data: chunk(record.type === 'file' ? node.content : new Uint8Array()) }
    }
  }

  async write(
    root: TreeRoot,
    path: string,
    entries: AsyncIterable<TreeEntry>,
    options: WriteTreeOptions = {},
  ): Promise<void> {
    const files = this.#files(root)
    const base = resolve(files, path, true)
    if (nodeAt(files, base).record.type !== 'directory') throw invalid(`${path}: Not a directory`)
    for await (const { record, data } of entries) {
      options.signal?.throwIfAborted()
      const content = Buffer.concat(await Array.fromAsync(data))
      writeEntry(files, base, { record, content }, options)
    }
  }

  #files(root: TreeRoot): Files {
    const key = JSON.stringify(root)
    const files = this.#roots.get(key) ?? new Map<string, Node>([['', directory()]])
    this.#roots.set(key, files)
    return files
  }
}

function writeEntry(files: Files, base: string, node: Node, options: WriteTreeOptions): void {
  const { record } = node
  checkPath(record.path, record.type === 'directory')
  if (record.path === '') {
    files.set(base, node)
    return
  }
  const parts = record.path.split('/')
  const name = parts.pop() ?? ''
  if (record.type === 'whiteout') {
    const parent = find(files, `${base}/${parts.join('/')}`)
    if (parent !== undefined) remove(files, `${parent}/${name}`)
    return
  }
  let at = base
  for (const part of parts) at = child(files, at, part)
  at = `${at}/${name}`
  makeWay(files, at, record, options)
  if (record.type === 'hardlink') {
    checkPath(record.link ?? '', false)
    files.set(at, nodeAt(files, resolve(files, `${base}/${record.link}`, false)))
  } else {
    const owner = options.owner ?? { uid: record.uid, gid: record.gid }
    files.set(at, { ...node, record: { ...record, ...owner } })
  }
}

/** Removes what must not stay; directories that meet are merged. */
function makeWay(files: Files, at: string, record: TreeRecord, options: WriteTreeOptions): void {
  const existing = files.get(at)
  if (existing === undefined) return
  const was = existing.record.type === 'directory'
  const becomes = record.type === 'directory'
  if (was !== becomes && options.noReplace === true) {
    const [from, to] = was ? ['directory', 'non-directory'] : ['non-directory', 'directory']
    throw invalid(`cannot overwrite ${from} "${record.path}" with ${to} "${record.path}"`)
  }
  if (was && becomes && record.opaque !== true) return
  remove(files, at)
}

function child(files: Files, at: string, part: string): string {
  const next = find(files, `${at}/${part}`)
  if (next !== undefined && files.get(next)?.record.type === 'directory') return next
  if (files.has(`${at}/${part}`)) throw invalid(`${at}/${part}: Not a directory`)
  files.set(`${at}/${part}`, directory())
  return `${at}/${part}`
}

function remove(files: Files, at: string): void {
  for (const name of files.keys()) if (name === at || name.startsWith(`${at}/`)) files.delete(name)
}

/** In the order of a walk: `/` sorts before every other character of a name. */
function below(files: Files, at: string): readonly (readonly [string, Node])[] {
  return [...files]
    .filter(([name]) => name === at || name.startsWith(`${at}/`))
    .sort(([a], [b]) => (a.replaceAll('/', '\0') < b.replaceAll('/', '\0') ? -1 : 1))
}

function named(node: Node, path: string, seen: Map<Node, string>): TreeRecord {
  const first = seen.get(node)
  if (first !== undefined) return { ...node.record, type: 'hardlink', path, link: first, size: 0 }
  seen.set(node, path)
  return { ...node.record, path }
}

/** The path without symlinks; `..` stays inside. Undefined when a part of it is missing. */
function find(files: Files, path: string, follow = true, depth = 0): string | undefined {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  let at = ''
  for (const [i, part] of parts.entries()) {
    if (part === '..') {
      at = at.slice(0, Math.max(at.lastIndexOf('/'), 0))
      continue
    }
    const node = files.get(`${at}/${part}`)
    if (node === undefined) return undefined
    if (node.record.type === 'symlink' && (follow || i < parts.length - 1) && depth < 40) {
      const link = node.record.link ?? ''
      const rest = parts.slice(i + 1).join('/')
      return find(files, `${link.startsWith('/') ? '' : at}/${link}/${rest}`, follow, depth + 1)
    }
    at = `${at}/${part}`
  }
  return at
}

function resolve(files: Files, path: string, follow: boolean): string {
  const at = find(files, path, follow)
  if (at === undefined) {
    throw new EngineError('not_found', `${path}: No such file or directory`, { code: 'TREE_FAILED' })
  }
  return at
}

function nodeAt(files: Files, at: string): Node {
  return files.get(at) ?? directory()
}

function checkPath(path: string, mayBeEmpty: boolean): void {
  if (path === '' && mayBeEmpty) return
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw invalid(`${path}: bad path`)
  }
}

function directory(): Node {
  const mtime = { seconds: 0, nanoseconds: 0 }
  const record = { type: 'directory', path: '', mode: 0o755, uid: 0, gid: 0, mtime, size: 0 } as const
  return { record, content: new Uint8Array() }
}

async function* chunk(content: Uint8Array): AsyncGenerator<Uint8Array> {
  if (content.length > 0) yield content
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'TREE_FAILED' })
}
