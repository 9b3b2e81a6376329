import { EngineError } from '#base/errors.ts'

// The wording is contract: Docker's clients and people's scripts match on it.

export function noSuchVolume(name: string): EngineError {
  return new EngineError('not_found', `get ${name}: no such volume`, {
    code: 'VOLUME_NOT_FOUND',
    details: { name },
  })
}

export function inUse(name: string, users: readonly string[], verb = 'remove'): EngineError {
  return new EngineError('conflict', `${verb} ${name}: volume is in use - [${users.join(', ')}]`, {
    code: 'VOLUME_IN_USE',
    details: { name, users },
  })
}

export function nameTaken(verb: string, name: string): EngineError {
  return new EngineError('conflict', `${verb} ${name}: a volume of this name exists already`, {
    code: 'VOLUME_NAME_TAKEN',
    details: { name },
  })
}

export function otherDriver(name: string, driver: string): EngineError {
  return new EngineError(
    'conflict',
    `create ${name}: driver '${driver}' already has volume '${name}': volume name must be unique`,
    { code: 'VOLUME_NAME_TAKEN', details: { name, driver } },
  )
}

export function driverUnknown(driver: string): EngineError {
  return new EngineError(
    'not_found',
    `error looking up volume plugin ${driver}: plugin "${driver}" not found`,
    { code: 'VOLUME_DRIVER_UNKNOWN', details: { driver } },
  )
}

/** Of `create`. */
export function optionInvalid(name: string, why: string): EngineError {
  return new EngineError('invalid_argument', `create ${name}: ${why}`, { code: 'VOLUME_OPTION_INVALID' })
}

export function mountFailed(name: string, path: string, why: string, cause: unknown): EngineError {
  return new EngineError('internal', `error while mounting volume '${path}': ${why}`, {
    code: 'VOLUME_MOUNT_FAILED',
    details: { name },
    cause,
  })
}

/** What a plugin has said about a volume, with what it was asked for. */
export function pluginRefused(verb: string, name: string, error: unknown): unknown {
  if (!(error instanceof EngineError)) return error
  const { kind, code, details, message } = error
  return new EngineError(kind, `${verb} ${name}: ${message}`, { code, details, cause: error })
}

/** Operations of ours that need a directory of our own. */
export function notLocal(verb: string, name: string, driver: string): EngineError {
  return new EngineError(
    'not_implemented',
    `${verb} ${name}: not possible with a volume of driver ${driver}`,
    {
      code: 'VOLUME_DRIVER_UNSUPPORTED',
      details: { name, driver },
    },
  )
}
