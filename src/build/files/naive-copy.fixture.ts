/**
 * COPY and ADD done one call after the other on a tree in memory, as a program would on a disk: what layers are held against.
 * Whatever goes wrong is thrown.
 */
import { directory, type MemoryFile, type MemoryTree } from './memory-tree.fixture.ts'

export interface NaiveOptions {
  readonly owner?: number
  readonly mode?: number
}

/** The path without symlinks, below `root`; what is not there is taken as it is written. */
function realpath(tree: MemoryTree, path: string, root = ''): string {
  let rest = path.split('/')
  let at: string[] = []
  for (let steps = 0; rest.length > 0; steps++) {
    if (steps > 500) throw new Error('ELOOP')
    const [name = '', ...after] = rest
    rest = after
    if (name === '' || name === '.') continue
    if (name === '..') {
      at.pop()
      continue
    }
    const found = tree.files.get(join(root, ...at, name))
    if (found?.type === 'symlink') {
      const link = found.link ?? ''
      if (link.startsWith('/')) at = []
      rest = [...link.split('/'), ...rest]
      continue
    }
    const goesOn = rest.some((part) => part !== '' && part !== '.')
    if (found !== undefined && found.type !== 'directory' && goesOn) throw new Error('ENOTDIR')
    at.push(name)
  }
  return join(root, ...at)
}

function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('/')
}

function parent(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0))
}

function base(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function mkdirs(tree: MemoryTree, path: string, { owner = 0, mode = 0o755 }: NaiveOptions): void {
  const found = tree.files.get(path)
  if (found?.type === 'directory') return
  if (found !== undefined) throw new Error('ENOTDIR')
  mkdirs(tree, parent(path), { owner, mode })
  tree.files.set(path, directory({ mode, uid: owner, gid: owner }))
}

/** COPY of sources that may end in a pattern of one component. */
export function naiveCopy(
  context: MemoryTree,
  tree: MemoryTree,
  sources: readonly string[],
  destination: string,
  options: NaiveOptions,
): void {
  let filled = false
  for (const source of sources) {
    for (const named of expand(context, source)) {
      const from = realpath(context, named)
      const found = context.files.get(from)
      if (found === undefined) throw new Error('ENOENT')
      if (destination.endsWith('/')) mkdirs(tree, realpath(tree, destination), options)
      const to = realpath(tree, destination)
      if (found.type === 'directory') {
        if (tree.files.has(to) && tree.files.get(to)?.type !== 'directory') throw new Error('ENOTDIR')
        mkdirs(tree, to, options)
        copyContents(context, from, tree, to, options)
      } else if (tree.files.get(to)?.type === 'directory') {
        copyFile(tree, found, join(to, base(named)), options)
      } else {
        if (filled) throw new Error('several')
        filled = true
        mkdirs(tree, parent(to), options)
        copyFile(tree, found, to, options)
      }
    }
  }
}

function expand(context: MemoryTree, source: string): string[] {
  if (!source.includes('*')) return [source]
  const above = directoryOf(context, parent(source))
  if (above === undefined) return []
  const pattern = new RegExp(`^${base(source).replace('*', '[^/]*')}$`)
  return context
    .paths(above)
    .filter((path) => path !== above && parent(path) === above && pattern.test(base(path)))
}

/** Undefined when there is something else on the way. */
function directoryOf(tree: MemoryTree, path: string): string | undefined {
  try {
    return realpath(tree, path)
  } catch (error) {
    if (error instanceof Error && error.message === 'ENOTDIR') return undefined
    throw error
  }
}

function copyContents(
  context: MemoryTree,
  from: string,
  tree: MemoryTree,
  to: string,
  options: NaiveOptions,
): void {
  const links = new Map<MemoryFile, string>()
  for (const path of context.paths(from).slice(1)) {
    const found = context.files.get(path) as MemoryFile
    const target = join(to, path.slice(from === '' ? 0 : from.length + 1))
    if (found.type === 'directory') {
      const before = tree.files.get(target)
      if (before !== undefined && before.type !== 'directory') throw new Error('ENOTDIR')
      tree.files.set(target, marked(found, options))
      continue
    }
    const first = links.get(found)
    if (first === undefined) copyFile(tree, found, target, options)
    else {
      if (tree.files.get(target)?.type === 'directory') throw new Error('EISDIR')
      tree.files.set(target, tree.files.get(first) as MemoryFile)
    }
    if (found.type === 'file' && first === undefined) links.set(found, target)
  }
}

function copyFile(tree: MemoryTree, found: MemoryFile, to: string, options: NaiveOptions): void {
  if (tree.files.get(to)?.type === 'directory') throw new Error('EISDIR')
  tree.files.set(to, marked(found, options))
}

function marked(found: MemoryFile, { owner, mode }: NaiveOptions): MemoryFile {
  return {
    ...found,
    uid: owner ?? found.uid,
    gid: owner ?? found.gid,
    mode: found.type === 'symlink' ? 0o777 : (mode ?? found.mode),
  }
}

/** A member of an archive; of a hard link `link` is its target. */
export interface Member {
  readonly path: string
  readonly file: MemoryFile | { readonly type: 'hardlink'; readonly link: string }
}

/** ADD of an archive: `tar -x` with the destination as its root. */
export function naiveUnpack(tree: MemoryTree, members: readonly Member[], destination: string): void {
  const root = realpath(tree, destination)
  mkdirs(tree, root, {})
  for (const { path, file } of members) {
    const above = realpath(tree, parent(path), root)
    mkdirs(tree, above, {})
    const to = join(above, base(path))
    if (file.type === 'hardlink') {
      const target = tree.files.get(join(realpath(tree, parent(file.link), root), base(file.link)))
      if (target === undefined || target.type === 'directory') throw new Error('EPERM')
      tree.remove(to)
      tree.files.set(to, target)
      continue
    }
    if (tree.files.get(to)?.type === 'directory' && file.type === 'directory') {
      tree.files.set(to, file)
      continue
    }
    tree.remove(to)
    tree.files.set(to, { ...file })
  }
}
