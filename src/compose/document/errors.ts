import { EngineError, engineErrorOf, messageOf } from '#base/errors.ts'
import type { Place } from './node.ts'

/** One thing that is wrong with a project file. */
export interface Problem {
  readonly place: Place
  readonly message: string
}

/** What is wrong with project files: a line for each problem, which begins with file, line and column. */
export function composeError(problems: readonly Problem[], cause?: unknown): EngineError {
  const message = problems.map(({ place, message: text }) => `${placeText(place)}: ${text}`).join('\n')
  return new EngineError('invalid_argument', message, {
    code: 'COMPOSE_INVALID',
    cause,
    details: { problems },
  })
}

/** What is wrong with project files by this error; undefined: it is about something else. */
export function problemsOf(error: unknown): readonly Problem[] | undefined {
  return error instanceof EngineError
    ? (error.details['problems'] as readonly Problem[] | undefined)
    : undefined
}

export function problemAt(place: Place, message: string, cause?: unknown): EngineError {
  return composeError([{ place, message }], cause)
}

/** `FILE:LINE:COLUMN`; only the file where there is no line. */
export function placeText({ file, line, column }: Place): string {
  return line === 0 ? file : `${file}:${line}:${column}`
}

interface Blame {
  /** The line that asks for it, if there is one. */
  readonly place?: Place | undefined
  readonly cause?: unknown
}

/** What cannot be done with a project. */
export function projectError(message: string, { place, cause }: Blame = {}): EngineError {
  if (place !== undefined) return problemAt(place, message, cause)
  return new EngineError('invalid_argument', message, { code: 'COMPOSE_INVALID', cause })
}

/** Several failures as one error, each with a line of its own; nobody is told the same twice. */
export function together(failures: readonly [unknown, ...unknown[]]): unknown {
  const [first] = failures
  const messages = [...new Set(failures.map(messageOf))]
  if (messages.length === 1) return first
  return new EngineError(engineErrorOf(first)?.kind ?? 'internal', messages.join('\n'), {
    code: 'COMPOSE_FAILED',
    cause: new AggregateError(failures),
  })
}
