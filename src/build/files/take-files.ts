import { IgnoreMatcher } from '../dockerfile/ignore.ts'
import type { PathPattern } from '../dockerfile/path-pattern.ts'
import type { FileSource, SourceFile } from '../sources/file-source.ts'
import { sourceNotFound } from './errors.ts'
import {
  baseName,
  cleanSource,
  hasWildcards,
  matchSources,
  parentOf,
  readPattern,
} from './source-patterns.ts'

/** One thing that a source of COPY stands for: a file, or the contents of a directory. */
export type Taken =
  | {
      readonly kind: 'file'
      /** What it is called in a directory. */
      readonly name: string
      readonly file: SourceFile
    }
  | { readonly kind: 'contents'; readonly files: () => AsyncIterable<TakenFile> }

export interface TakenFile {
  /** The same for all names of one file that are copied: its first one. Never of type `hardlink`. */
  readonly file: SourceFile
  /** Below the destination. */
  readonly path: string
  /** In the source, for people. */
  readonly from: string
}

export interface TakeOptions {
  /** Directories between the pivot `/./` (or the root) and a file are kept. */
  readonly parents: boolean
  /** Patterns as in ignore files, relative to the directory whose contents are copied; a file goes by its own name. */
  readonly exclude: readonly string[]
  readonly signal: AbortSignal | undefined
}

/**
 * What `pattern` (see CopySource) takes from `source`, directories before what is in them. A pattern with wildcards may match
 * nothing; what it names or matches must be there, also behind symlinks: `invalid_argument` with code `COPY_SOURCE_NOT_FOUND`.
 */
export async function* takeFiles(
  source: FileSource,
  pattern: string,
  options: TakeOptions,
): AsyncGenerator<Taken> {
  const exclude = options.exclude.length === 0 ? undefined : new IgnoreMatcher(options.exclude)
  if (options.parents) {
    yield* takeWithParents(source, pattern, exclude, options.signal)
    return
  }
  const clean = cleanSource(pattern)
  const named = !hasWildcards(clean)
  for await (const { file, path, name } of matchSources(source, clean, options.signal)) {
    if (file === undefined) throw await notFound(source, path)
    if (file.attributes.type === 'directory') {
      if (!named && exclude?.ignores(name) === true && !exclude.exceptions) continue
      yield contentsOf(source, file, filterOf(undefined, exclude), options.signal)
    } else if (exclude?.ignores(name) !== true) {
      yield { kind: 'file', name, file }
    }
  }
}

async function* takeWithParents(
  source: FileSource,
  pattern: string,
  exclude: IgnoreMatcher | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Taken> {
  const pivot = pattern.indexOf('/./')
  const above = cleanSource(pivot === -1 ? '' : pattern.slice(0, pivot))
  const below = cleanSource(pivot === -1 ? pattern : pattern.slice(pivot + 3))
  const filter = filterOf(below === '' ? undefined : readPattern(below, pattern), exclude)
  let taken = false
  for await (const { file } of matchSources(source, above, signal)) {
    if (file?.attributes.type !== 'directory') continue
    const { files } = contentsOf(source, file, filter, signal)
    // Its files are found before they are copied: whether there are any decides if this is an error.
    const all = await Array.fromAsync(files())
    if (all.length > 0 || below === '') taken = true
    yield { kind: 'contents', files: () => iterate(all) }
  }
  if (!taken && !hasWildcards(below) && !hasWildcards(above)) {
    throw await notFound(source, above === '' ? below : `${above}/${below}`)
  }
}

async function* iterate<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}

/** `inside`: not the directory itself, but perhaps something in it. Paths are relative to the directory that is copied. */
type Filter = (path: string, directory: boolean) => 'wanted' | 'inside' | 'unwanted'

function filterOf(include: PathPattern | undefined, exclude: IgnoreMatcher | undefined): Filter {
  return (path, directory) => {
    let inside = false
    if (include !== undefined && !include.matchesWithParents(path)) {
      if (!directory || !include.mayMatchBelow(path)) return 'unwanted'
      inside = true
    }
    if (exclude?.ignores(path) === true) {
      if (!directory || !exclude.mayHoldWanted(path)) return 'unwanted'
      inside = true
    }
    return inside ? 'inside' : 'wanted'
  }
}

function contentsOf(
  source: FileSource,
  directory: SourceFile,
  filter: Filter,
  signal: AbortSignal | undefined,
): Extract<Taken, { kind: 'contents' }> {
  const top = directory.attributes.path
  const from = top === '' ? 0 : top.length + 1
  const descend = (path: string): boolean => path === top || filter(path.slice(from), true) !== 'unwanted'
  return {
    kind: 'contents',
    async *files() {
      const links = new FirstNames(source)
      /** Directories on the way that are copied once something in them is. */
      const waiting: TakenFile[] = []
      for await (const file of source.walk(top, { descend, signal })) {
        const { path, type } = file.attributes
        if (path === top) continue
        const below = path.slice(from)
        const verdict = filter(below, type === 'directory')
        if (verdict === 'unwanted') continue
        const first = type === 'hardlink' ? await links.firstOf(file.attributes) : file
        const taken = { file: first, path: below, from: path }
        while (waiting.length > 0 && !below.startsWith(`${waiting.at(-1)?.path}/`)) waiting.pop()
        if (verdict === 'inside') {
          waiting.push(taken)
          continue
        }
        yield* waiting.splice(0)
        yield taken
      }
    },
  }
}

/** Hard links are told as such after their first name, which need not be one that is copied. */
class FirstNames {
  readonly #source: FileSource
  readonly #found = new Map<string, SourceFile>()

  constructor(source: FileSource) {
    this.#source = source
  }

  async firstOf({ path, link = '' }: SourceFile['attributes']): Promise<SourceFile> {
    const known = this.#found.get(link)
    if (known !== undefined) return known
    // Not find(): it would follow a symlink that has several names.
    for await (const file of this.#source.walk(link, { descend: () => false })) {
      this.#found.set(link, file)
      return file
    }
    throw await notFound(this.#source, path)
  }
}

/** The error for a path that is not in the source. */
async function notFound(source: FileSource, path: string): Promise<Error> {
  const near: string[] = []
  const directory = await source.find(parentOf(path))
  if (directory?.attributes.type === 'directory') {
    const top = directory.attributes.path
    for await (const file of source.walk(top, { descend: (at) => at === top })) {
      if (file.attributes.path !== top) near.push(baseName(file.attributes.path))
    }
  }
  return sourceNotFound(source.name, path, { ignoredBy: source.ignoredBy?.(path), near })
}
