import type { Digest } from '#base/digest.ts'
import type { TreeRoot } from '#os/tree.ts'
import type { IgnoreMatcher } from '../dockerfile/ignore.ts'
import type { FileSource, MountableRoot, SourceFile, StateOptions, WalkOptions } from './file-source.ts'
import { resolveInside } from './resolve-inside.ts'
import type { SourceCopies } from './source-copies.ts'

export interface Ignore {
  readonly matcher: IgnoreMatcher
  /** Name of the file that the patterns come from. */
  readonly file: string
}

/**
 * `source` without what an ignore file leaves out; it is disposed with this. Ignored directories are read only where
 * exceptions need it.
 */
export function withoutIgnored(source: FileSource, ignore: Ignore, copies: SourceCopies): FileSource {
  return new IgnoredSource(source, ignore, copies)
}

class IgnoredSource implements FileSource {
  readonly name: string
  readonly #source: FileSource
  readonly #ignore: IgnoreMatcher
  readonly #ignoreFile: string
  readonly #copies: SourceCopies
  readonly #held = new AsyncDisposableStack()
  #root: Promise<TreeRoot & MountableRoot> | undefined

  constructor(source: FileSource, ignore: Ignore, copies: SourceCopies) {
    this.name = source.name
    this.#source = this.#held.use(source)
    this.#ignore = ignore.matcher
    this.#ignoreFile = ignore.file
    this.#copies = copies
  }

  async *walk(path: string, options: WalkOptions = {}): AsyncGenerator<SourceFile> {
    const names = new FirstNames()
    /** Ignored directories that we are in: shown when something in them is. */
    let above: SourceFile[] = []
    for await (const file of this.#source.walk(path, {
      signal: options.signal,
      descend: (directory) => this.#enters(directory) && options.descend?.(directory) !== false,
    })) {
      const at = file.attributes.path
      above = above.filter(({ attributes }) => isBelow(at, attributes.path))
      if (!this.#ignores(at)) {
        yield* above
        above = []
        yield names.shown(file)
      } else if (file.attributes.type === 'directory') above.push(file)
      else names.hidden(file)
    }
  }

  async find(path: string): Promise<SourceFile | undefined> {
    return resolveInside(path, (at) => this.#lookup(at))
  }

  async state(path: string, options: StateOptions = {}): Promise<Digest | undefined> {
    return this.#source.state?.(path, {
      signal: options.signal,
      descend: (directory) => this.#enters(directory) && options.descend?.(directory) !== false,
      only: (file) => !this.#ignores(file) && options.only?.(file) !== false,
    })
  }

  ignoredBy(path: string): string | undefined {
    return this.#ignores(path) ? this.#ignoreFile : this.#source.ignoredBy?.(path)
  }

  root(): Promise<TreeRoot & MountableRoot> {
    this.#root ??= this.#mountable()
    return this.#root
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }

  async #lookup(path: string): Promise<SourceFile | undefined> {
    if (!this.#ignores(path)) {
      for await (const file of this.#source.walk(path, { descend: () => false })) return file
      return undefined
    }
    // An ignored directory is there when something in it is; a parent of it may be ignored as well.
    if (!this.#ignore.mayHoldWanted(path)) return undefined
    for await (const file of this.walk(path)) return file
    return undefined
  }

  /** The source's own root if nothing of it is ignored, or else a copy of what is shown. */
  async #mountable(): Promise<TreeRoot & MountableRoot> {
    for await (const file of this.#source.walk('', { descend: (directory) => !this.#ignores(directory) })) {
      if (!this.#ignores(file.attributes.path)) continue
      const { path } = this.#held.use(await this.#copies.copy(this))
      return { directory: path, path }
    }
    return this.#source.root()
  }

  #ignores(path: string): boolean {
    return path !== '' && this.#ignore.ignores(path)
  }

  #enters(directory: string): boolean {
    return !this.#ignores(directory) || this.#ignore.mayHoldWanted(directory)
  }
}

function isBelow(path: string, directory: string): boolean {
  return directory === '' || path.startsWith(`${directory}/`)
}

/** When the first name of a file is hidden, its second one takes its place. */
class FirstNames {
  readonly #hidden = new Map<string, SourceFile>()
  readonly #moved = new Map<string, string>()

  hidden(file: SourceFile): void {
    const { type, path } = file.attributes
    if (type === 'file') this.#hidden.set(path, file)
  }

  shown(file: SourceFile): SourceFile {
    const { type, path, link = '' } = file.attributes
    if (type !== 'hardlink') return file
    const moved = this.#moved.get(link)
    if (moved !== undefined) return new Renamed(file, { ...file.attributes, link: moved })
    const hidden = this.#hidden.get(link)
    if (hidden === undefined) return file
    this.#moved.set(link, path)
    return new Renamed(hidden, { ...hidden.attributes, path })
  }
}

class Renamed implements SourceFile {
  readonly attributes: SourceFile['attributes']
  readonly #file: SourceFile

  constructor(file: SourceFile, attributes: SourceFile['attributes']) {
    this.attributes = attributes
    this.#file = file
  }

  digest(signal?: AbortSignal): Promise<Digest> {
    return this.#file.digest(signal)
  }

  read(): AsyncIterable<Uint8Array> {
    return this.#file.read()
  }
}
