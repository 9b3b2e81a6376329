import { DAEMON_ERROR } from '#client/errors.ts'
import { EngineError, engineErrorOf, messageOf } from '#base/errors.ts'

/** A flag that cannot be parsed; the command is not run. */
export function flagError(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'FLAG_INVALID', cause })
}

/** A value that the flag's grammar does not allow; the parser adds which flag it was. */
export function valueError(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'VALUE_INVALID' })
}

/** The wrong number of arguments. */
export function argumentsError(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'ARGUMENTS_INVALID' })
}

/** A `--format` that cannot be parsed. */
export function templateError(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'TEMPLATE_INVALID' })
}

/** A `--format` that does not go with the object. */
export function evaluationError(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'TEMPLATE_FAILED' })
}

/** Puts `prefix` before the message of whatever `act` throws about a template. */
export function withTemplatePrefix<T>(
  prefixes: { readonly parse: string; readonly execute: string },
  act: () => T,
): T {
  try {
    return act()
  } catch (error) {
    if (hasCode(error, 'TEMPLATE_INVALID')) throw templateError(`${prefixes.parse}: ${errorText(error)}`)
    if (hasCode(error, 'TEMPLATE_FAILED')) throw evaluationError(`${prefixes.execute}: ${errorText(error)}`)
    throw error
  }
}

/** What a command could not do, in words of our own: what, on which object, why, and what to do next. */
export function commandError(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'COMMAND_FAILED', cause })
}

/** One line for a person; what the server said is marked as such, as Docker does. */
export function errorText(error: unknown): string {
  const engineError = engineErrorOf(error)
  if (engineError?.code === DAEMON_ERROR) return `Error response from daemon: ${engineError.message}`
  return messageOf(error)
}

export function hasCode(error: unknown, code: string): boolean {
  return engineErrorOf(error)?.code === code
}
