import { EngineError } from '#base/errors.ts'

/** A create or update body that Docker would refuse with 400; the message is Docker's. */
export function invalidConfig(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code: 'CONTAINER_CONFIG_INVALID', cause })
}
