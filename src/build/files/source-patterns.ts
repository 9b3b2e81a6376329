import { SyntaxFailure } from '../dockerfile/failure.ts'
import { PathPattern } from '../dockerfile/path-pattern.ts'
import type { FileSource, SourceFile } from '../sources/file-source.ts'
import { patternInvalid } from './errors.ts'

/** What a source of COPY names. */
export interface Match {
  /** Symlinks followed; undefined when they lead nowhere, or a name without wildcards is not there. */
  readonly file: SourceFile | undefined
  readonly path: string
  /** As it was named: what the copy is called in a directory. */
  readonly name: string
}

/** The path relative to the root of a source; what would lead above the root stays there. */
export function cleanSource(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') parts.pop()
    else parts.push(part)
  }
  return parts.join('/')
}

/** As Go's filepath.Match has them; behind a backslash they are ordinary characters. */
export function hasWildcards(path: string): boolean {
  return /(?:^|[^\\])(?:\\\\)*[*?[]/.test(path)
}

/**
 * The files that `pattern` matches, itself relative to the root and clean: a path for each of its components (Go's
 * filepath.Match), nothing of a directory that matches. Symlinks are followed, inside the root, on the way to the first
 * wildcard and at the end, but not between. Without wildcards it is one, there or not.
 */
export async function* matchSources(
  source: FileSource,
  pattern: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Match> {
  const components = pattern.split('/')
  const first = components.findIndex(hasWildcards)
  if (first === -1) {
    yield await literally(source, pattern)
    return
  }
  const above = await source.find(components.slice(0, first).join('/'))
  if (above?.attributes.type !== 'directory') return
  const top = above.attributes.path
  const matchers = components.slice(first).map((component) => readPattern(component, pattern))
  for (const path of await matchingPaths(source, top, matchers, signal)) {
    // What it leads to is asked for once the walk is over: two at a time would be in each other's way.
    yield { file: await source.find(path), path, name: baseName(path) }
  }
}

/** A name as it is written, or, when there is none and it has backslashes, without those that take a wildcard's meaning. */
async function literally(source: FileSource, path: string): Promise<Match> {
  const file = await source.find(path)
  const plain = path.replaceAll(/\\(.)/g, '$1')
  if (file !== undefined || plain === path) return { file, path, name: baseName(path) }
  return { file: await source.find(plain), path: plain, name: baseName(plain) }
}

async function matchingPaths(
  source: FileSource,
  top: string,
  matchers: readonly PathPattern[],
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const from = top === '' ? 0 : top.length + 1
  const matches = (path: string): 'whole' | 'begin' | 'no' => {
    const names = path.slice(from).split('/')
    const all = names.every((name, at) => matchers[at]?.matchesWithParents(name) === true)
    if (!all) return 'no'
    return names.length === matchers.length ? 'whole' : 'begin'
  }
  const found: string[] = []
  const descend = (directory: string): boolean => directory === top || matches(directory) === 'begin'
  for await (const { attributes } of source.walk(top, { descend, signal })) {
    if (attributes.path !== top && matches(attributes.path) === 'whole') found.push(attributes.path)
  }
  return found
}

/** `invalid_argument` for what filepath.Match calls a bad pattern; `written`: where it is from. */
export function readPattern(pattern: string, written: string): PathPattern {
  try {
    return new PathPattern(pattern)
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) throw error
    throw patternInvalid(written, error.message)
  }
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0))
}
