import { SyntaxFailure } from './failure.ts'
import { EngineError } from '#base/errors.ts'
import { trimSpace } from './characters.ts'
import { PathPattern } from './path-pattern.ts'

/** Name of the ignore file that belongs to one Dockerfile and goes before `.dockerignore`. */
export function ignoreFileOf(dockerfile: string): string {
  return `${dockerfile}.dockerignore`
}

/** The patterns of an ignore file: a line each, without comments and blank lines, cleaned as paths. */
export function parseIgnore(text: string): readonly string[] {
  const patterns: string[] = []
  for (const line of text.replace(/^\ufeff/, '').split('\n')) {
    // A number sign is a comment in the first column alone.
    if (line.startsWith('#')) continue
    let pattern = trimSpace(line)
    const exception = pattern.startsWith('!')
    if (exception) pattern = trimSpace(pattern.slice(1))
    if (pattern !== '') {
      pattern = cleanPath(pattern)
      if (pattern.length > 1 && pattern.startsWith('/')) pattern = pattern.slice(1)
    }
    if (exception) patterns.push(`!${pattern}`)
    else if (pattern !== '') patterns.push(pattern)
  }
  return patterns
}

/**
 * Which paths of a context are left out. Paths have slashes, none at either end. The last pattern that matches a path
 * or a directory above it decides. Time is (patterns × their length × path), whatever they are.
 */
export class IgnoreMatcher {
  readonly #rules: readonly Rule[]
  /** Whether something in an ignored directory may be needed after all. */
  readonly exceptions: boolean

  constructor(patterns: readonly string[]) {
    this.#rules = patterns.flatMap((pattern) => readRule(pattern) ?? [])
    this.exceptions = this.#rules.some(({ exception }) => exception)
  }

  ignores(path: string): boolean {
    let ignored = false
    for (const { exception, pattern } of this.#rules) {
      if (exception === ignored && pattern.matchesWithParents(path)) ignored = !exception
    }
    return ignored
  }

  /** False when nothing below an ignored directory can be wanted, so that it need not be read. */
  mayHoldWanted(directory: string): boolean {
    return this.#rules.some(({ exception, pattern }) => exception && pattern.mayMatchBelow(directory))
  }
}

interface Rule {
  readonly exception: boolean
  readonly pattern: PathPattern
}

function readRule(written: string): Rule | undefined {
  const trimmed = trimSpace(written)
  if (trimmed === '') return undefined
  const exception = trimmed.startsWith('!')
  const pattern = cleanPath(exception ? trimmed.slice(1) : trimmed)
  if (exception && cleanPath(trimmed) === '!') throw invalid('illegal exclusion pattern: "!"', written)
  try {
    return { exception, pattern: new PathPattern(pattern) }
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) throw error
    throw invalid(`${error.message}: ${JSON.stringify(written)}`, written)
  }
}

/** The path without empty parts, `.` and what `..` takes back, as Go's filepath.Clean. */
export function cleanPath(path: string): string {
  const rooted = path.startsWith('/')
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else if (!rooted) parts.push('..')
  }
  return `${rooted ? '/' : ''}${parts.join('/')}` || '.'
}

function invalid(message: string, pattern: string): EngineError {
  const hint = 'Correct the line in the ignore file.'
  return new EngineError('invalid_argument', `${message}\n${hint}`, {
    code: 'IGNORE_PATTERN_INVALID',
    details: { pattern },
  })
}
