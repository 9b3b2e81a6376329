import { EngineError } from '#base/errors.ts'
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
function placeText({ file, line, column }: Place): string {
  return line === 0 ? file : `${file}:${line}:${column}`
}

/** What cannot be done with a project, where no line of a file is to blame. */
export function projectError(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'COMPOSE_INVALID', cause })
}
