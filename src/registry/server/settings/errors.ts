import { EngineError } from '#base/errors.ts'

/** A key of the configuration, or the file, that means nothing; `message` names it. */
export function invalidSetting(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', `registry configuration: ${message}`, {
    code: 'CONFIG_INVALID',
    cause,
  })
}
