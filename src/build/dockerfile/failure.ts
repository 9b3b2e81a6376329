import { EngineError } from '#base/errors.ts'
import { excerpt, type Range, type Source } from './source.ts'

/**
 * What the parts of the parser throw while they do not know the file: a message and, if it is known, where.
 * `parseDockerfile` turns it into an EngineError; it never leaves this directory.
 */
export class SyntaxFailure extends Error {
  readonly range: Range | undefined
  readonly hint: string | undefined

  constructor(message: string, at: { readonly range?: Range | undefined; readonly hint?: string } = {}) {
    super(message)
    this.range = at.range
    this.hint = at.hint
  }
}

/**
 * The error a person meets: BuildKit's wording (tools look for `dockerfile parse error on line N:`), what to do
 * next, and the offending line. `details` has file, line, column and end for programs.
 */
export function dockerfileError(source: Source, range: Range, message: string, hint?: string): EngineError {
  const advice = hint === undefined ? '' : `\n${hint}`
  const full = `dockerfile parse error on line ${range.start.line}: ${message}`
  return new EngineError('invalid_argument', `${full}${advice}\n${excerpt(source, range)}`, {
    code: 'DOCKERFILE_INVALID',
    details: { file: source.name, ...range.start, end: range.end, message, hint },
  })
}

/** Runs `read`; failures without a place of their own are at `range`. */
export function locating<T>(source: Source, range: Range, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) throw error
    throw dockerfileError(source, error.range ?? range, error.message, error.hint)
  }
}
