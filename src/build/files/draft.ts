import { encodeBytes, type FileAttributes, type TarType } from '#oci/tar/entry.ts'
import { limits } from '#oci/tar/limits.ts'
import { isReserved } from '#oci/tar/whiteouts.ts'
import { cannotMake, isDirectory, notDirectory, notForLayers, tooManyFiles, tooManyLinks } from './errors.ts'
import type { BelowFile, FilesBelow } from './files-below.ts'

/** Symlinks that are followed for one path, as the kernel does (path_resolution(7)). */
const MAX_SYMLINKS = 40

/** What is written of a file besides its name and content. Without a time of its own it gets one in the end. */
export interface Described extends Omit<FileAttributes, 'path' | 'mtime'> {
  readonly mtime: FileAttributes['mtime'] | undefined
}

/** A file of the layer; several names may share it. */
export interface DraftFile {
  readonly kind: 'file'
  readonly type: Exclude<TarType, 'directory' | 'hardlink'>
  readonly attributes: Described
  /** The content of a regular file: exactly as many bytes as it is described with. */
  readonly read: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

export interface DraftDirectory {
  readonly kind: 'directory'
  readonly path: string
  readonly parent: DraftDirectory | undefined
  /** Undefined: those it has in the layers below. */
  attributes: Described | undefined
  /** What the layers below have in it shows through. */
  readonly merged: boolean
  /** The layers below have a directory here, which has to be hidden. */
  readonly hides: boolean
  /** What the layer has, and directories below that it has been looked into. */
  readonly children: Map<string, DraftFile | DraftDirectory>
  /** Whether it belongs to the layer, for its own sake or for what is in it. */
  touched: boolean
}

/** What was found at a path. */
type Found = DraftFile | DraftDirectory | { readonly kind: 'below'; readonly file: BelowFile }

/** Where a path leads once all symlinks are followed. */
export type Place =
  /** To a directory, or, with `missing`, to what could be made in it: names of directories and the last one. */
  | { readonly kind: 'directory'; readonly directory: DraftDirectory; readonly missing: readonly string[] }
  /** To something else, which is neither symlink nor directory. */
  | {
      readonly kind: 'file'
      readonly directory: DraftDirectory
      readonly name: string
      readonly found: Exclude<Found, DraftDirectory>
    }

/**
 * The layer that a step makes, as a tree over that of the layers below. Nothing outside of the two can be reached: symlinks
 * and `..` are followed in them alone. Everything is in memory but the contents.
 */
export class Draft {
  readonly root: DraftDirectory
  /** Of all files that have a time. */
  newest: FileAttributes['mtime'] | undefined
  readonly #below: FilesBelow
  #files = 0

  constructor(below: FilesBelow) {
    this.#below = below
    this.root = newDirectory('', undefined, { attributes: undefined, merged: true, hides: false })
  }

  /** Follows `path` from `from`, which is its root: absolute symlinks begin there, and `..` does not lead above it. */
  resolve(path: string, from = this.root): Place {
    let at = from
    const missing: string[] = []
    /** Names still to be followed, the next one last. */
    const left = path.split('/').toReversed()
    for (let links = 0; left.length > 0;) {
      const name = left.pop() ?? ''
      if (name === '' || name === '.') continue
      if (name === '..') {
        if (missing.length > 0) missing.pop()
        else if (at !== from) at = at.parent ?? from
        continue
      }
      const found = missing.length > 0 ? undefined : this.lookup(at, name)
      if (found === undefined) missing.push(name)
      else if (found.kind === 'directory') at = found
      else {
        const link = targetOf(found)
        if (link === undefined) {
          if (left.some((rest) => rest !== '' && rest !== '.')) throw cannotMake(within(at, name))
          return { kind: 'file', directory: at, name, found }
        }
        if (++links > MAX_SYMLINKS) throw tooManyLinks(path.replace(/^\//, ''))
        if (link.startsWith('/')) at = from
        left.push(...link.split('/').toReversed())
      }
    }
    return { kind: 'directory', directory: at, missing }
  }

  /** The directory at `path`, symlinks followed; it and its parents are made with `made` where they are missing. */
  makeDirectory(path: string, made: Described, from = this.root): DraftDirectory {
    const place = this.resolve(path, from)
    if (place.kind === 'file') throw cannotMake(within(place.directory, place.name))
    return this.make(place.directory, place.missing, made)
  }

  make(directory: DraftDirectory, names: readonly string[], made: Described): DraftDirectory {
    let at = directory
    for (const name of names) {
      at = this.#add(at, name, { attributes: made, merged: false, hides: false })
    }
    return at
  }

  /** What is called `name` in the directory: of the layer, or else of those below. */
  lookup(directory: DraftDirectory, name: string): Found | undefined {
    const own = directory.children.get(name)
    if (own !== undefined || !directory.merged) return own
    const file = this.#below.at(within(directory, name))
    if (file === undefined) return undefined
    if (file.type !== 'directory') return { kind: 'below', file }
    const seen = newDirectory(file.path, directory, { attributes: undefined, merged: true, hides: false })
    directory.children.set(name, seen)
    return seen
  }

  /** Puts a file in a directory, instead of a file of that name. With `replace` also instead of a directory. */
  putFile(
    directory: DraftDirectory,
    name: string,
    file: DraftFile,
    { replace = false }: { readonly replace?: boolean } = {},
  ): void {
    const path = within(directory, name)
    checkName(path, name)
    if (file.type === 'char' && file.attributes.major === 0 && file.attributes.minor === 0) {
      throw notForLayers(path, 'a character device 0:0 means that a file is removed')
    }
    if (file.type === 'symlink' && encodeBytes(file.attributes.link ?? '').length > limits.path) {
      throw notForLayers(path, `a symbolic link to more than ${limits.path} bytes`)
    }
    if (!replace && this.lookup(directory, name)?.kind === 'directory') throw isDirectory(path)
    this.#count(path)
    directory.children.set(name, file)
    this.#note(file.attributes)
    touch(directory)
  }

  /** A directory that becomes as it is described, also when it is there; `notDirectory()` when something else is. */
  copyDirectory(directory: DraftDirectory, name: string, attributes: Described): DraftDirectory {
    const before = this.lookup(directory, name)
    if (before !== undefined && before.kind !== 'directory')
      throw notDirectory(within(directory, name), targetOf(before))
    return this.replaceDirectory(directory, name, attributes)
  }

  /** A directory that becomes as it is described, instead of whatever is there; the content of a directory stays. */
  replaceDirectory(directory: DraftDirectory, name: string, attributes: Described): DraftDirectory {
    const before = this.lookup(directory, name)
    if (before?.kind === 'directory') {
      before.attributes = attributes
      this.#note(attributes)
      touch(before)
      return before
    }
    const hides =
      before?.kind === 'file' &&
      directory.merged &&
      this.#below.at(within(directory, name))?.type === 'directory'
    return this.#add(directory, name, { attributes, merged: false, hides })
  }

  #add(
    parent: DraftDirectory,
    name: string,
    options: Pick<DraftDirectory, 'attributes' | 'merged' | 'hides'>,
  ): DraftDirectory {
    const path = within(parent, name)
    checkName(path, name)
    this.#count(path)
    const made = newDirectory(path, parent, options)
    parent.children.set(name, made)
    if (options.attributes !== undefined) this.#note(options.attributes)
    touch(made)
    return made
  }

  /** What layers cannot hold is refused while it is in memory alone. */
  #count(path: string): void {
    if (++this.#files > limits.nodes) throw tooManyFiles(path, limits.nodes)
  }

  #note({ mtime }: Described): void {
    if (mtime !== undefined && (this.newest === undefined || isLater(mtime, this.newest))) {
      this.newest = mtime
    }
  }
}

/** `name` in the directory, as a path. */
export function within({ path }: Pick<DraftDirectory, 'path'>, name: string): string {
  return path === '' ? name : `${path}/${name}`
}

function newDirectory(
  path: string,
  parent: DraftDirectory | undefined,
  options: Pick<DraftDirectory, 'attributes' | 'merged' | 'hides'>,
): DraftDirectory {
  return { kind: 'directory', path, parent, children: new Map(), touched: false, ...options }
}

function touch(directory: DraftDirectory): void {
  for (let at: DraftDirectory | undefined = directory; at?.touched === false; at = at.parent) {
    at.touched = true
  }
}

function targetOf(found: Exclude<Found, DraftDirectory>): string | undefined {
  const { type, link } =
    found.kind === 'below' ? found.file : { type: found.type, link: found.attributes.link }
  return type === 'symlink' ? (link ?? '') : undefined
}

/** OCI's layers have names that mean something else (layer.md "Whiteouts"): nobody may hide files with them. */
function checkName(path: string, name: string): void {
  if (isReserved(name)) {
    throw notForLayers(path, 'names that begin with .wh. mean that a file is removed')
  }
}

function isLater(a: FileAttributes['mtime'], b: FileAttributes['mtime']): boolean {
  return a.seconds > b.seconds || (a.seconds === b.seconds && a.nanoseconds > b.nanoseconds)
}
