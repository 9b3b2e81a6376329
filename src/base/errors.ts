/**
 * Every way an operation can fail, in the vocabulary of containerd's errdefs. A kind says what the
 * caller may do about a failure, never where it happened. Adding one is a change of the API: each
 * table that maps kinds outwards must get a row, and the compiler asks for it.
 */
export type ErrorKind =
  | 'invalid_argument'
  | 'unauthenticated'
  | 'permission_denied'
  | 'not_found'
  | 'conflict'
  | 'resource_exhausted'
  | 'unavailable'
  | 'not_implemented'
  | 'cancelled'
  | 'data_loss'
  | 'internal'

/** Stable, searchable name of a failure; each is described in docs/errors.md. */
export type ErrorCode = Uppercase<string>

export interface EngineErrorInit {
  readonly code: ErrorCode
  readonly cause?: unknown
  readonly details?: Readonly<Record<string, unknown>>
}

/** The only error class that crosses a layer. `message` is what a person or a Docker client reads. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly kind: ErrorKind
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(kind: ErrorKind, message: string, init: EngineErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.kind = kind
    this.code = init.code
    this.details = init.details ?? {}
  }
}

/** The outermost EngineError in `error`'s chain of causes, if there is one. */
export function engineErrorOf(error: unknown): EngineError | undefined {
  for (let e: unknown = firstOf(error); e instanceof Error; e = firstOf(e.cause)) {
    if (e instanceof EngineError) return e
  }
  return undefined
}

/** What failed first: what failed after it, while things were being released, does not tell why. */
function firstOf(error: unknown): unknown {
  let first = error
  while (first instanceof SuppressedError) first = first.suppressed
  return first
}

/** True when the outermost EngineError in `error`'s chain of causes is of `kind`. */
export function isKind(error: unknown, kind: ErrorKind): boolean {
  return engineErrorOf(error)?.kind === kind
}

/** True for a system error of Node with this errno name, such as `ENOENT`. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/** Text for a person: the message of an error, or the value itself. */
export function messageOf(error: unknown): string {
  const first = firstOf(error)
  return first instanceof Error ? first.message : String(first)
}

/** What is wrong with a file of JSON. Not the parser's message, which quotes what stands there: it may be a password. */
export function jsonProblemOf(error: unknown): string {
  if (!(error instanceof SyntaxError)) return messageOf(error)
  return `it is not valid JSON${/ \(line \d+ column \d+\)/.exec(error.message)?.[0] ?? ''}`
}
