import { EngineError, messageOf } from '#base/errors.ts'
import type { StartError } from './start-error.ts'

// The wording is contract: Docker's clients and people's scripts match on it.

export function noSuchContainer(ref: string): EngineError {
  return new EngineError('not_found', `No such container: ${ref}`, {
    code: 'CONTAINER_NOT_FOUND',
    details: { ref },
  })
}

export function emptyReference(): EngineError {
  return new EngineError('invalid_argument', 'invalid name or ID supplied: ""', {
    code: 'CONTAINER_NOT_FOUND',
  })
}

export function ambiguousPrefix(ref: string): EngineError {
  return new EngineError('invalid_argument', `multiple IDs found with provided prefix: ${ref}`, {
    code: 'CONTAINER_AMBIGUOUS',
    details: { ref },
  })
}

/** Of a start: a network refuses the container, or a port cannot be published. */
export function networkingFailed(error: unknown): unknown {
  if (!(error instanceof EngineError)) return error
  const { kind, code, details, message } = error
  const text = `failed to set up container networking: ${message}`
  return new EngineError(kind, text, { code, details, cause: error })
}

export function nameTaken(name: string, id: string): EngineError {
  return new EngineError(
    'conflict',
    `Conflict. The container name "/${name}" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    { code: 'CONTAINER_NAME_TAKEN', details: { name, id } },
  )
}

export function notRunning(id: string): EngineError {
  return new EngineError('conflict', `container ${id} is not running`, {
    code: 'CONTAINER_NOT_RUNNING',
    details: { id },
  })
}

/** Its namespace was to be joined. */
export function donorNotRunning(id: string, namespace: 'net' | 'pid' | 'ipc'): EngineError {
  if (namespace === 'net') return wrongState(id, `cannot join network of a non running container: ${id}`)
  return wrongState(id, `failed to join ${namespace.toUpperCase()} namespace: container ${id} is not running`)
}

export function isPaused(ref: string): EngineError {
  return new EngineError('conflict', `Container ${ref} is paused, unpause the container before exec`, {
    code: 'CONTAINER_PAUSED',
    details: { ref },
  })
}

/** It has no process that could be frozen or looked at, and will have one again. */
export function isRestarting(id: string): EngineError {
  return wrongState(id, `Container ${id} is restarting, wait until the container is running`)
}

/** Says first what could not be done, as Docker does; the kind of the failure stays. */
export async function during<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    const { kind, message, code, details } = error
    throw new EngineError(kind, `${what}: ${message}`, { code, details, cause: error })
  }
}

export function wrongState(id: string, message: string): EngineError {
  return new EngineError('conflict', message, { code: 'CONTAINER_STATE', details: { id } })
}

/** `ref`: what the client called it. */
export function removeRunning(ref: string, status: string): EngineError {
  const advice =
    status === 'paused'
      ? 'container is paused and must be unpaused first'
      : `container is ${status}: stop the container before removing or force remove`
  return new EngineError('conflict', `cannot remove container "${ref}": ${advice}`, {
    code: 'CONTAINER_RUNNING',
    details: { ref, status },
  })
}

export function removalInProgress(name: string): EngineError {
  return new EngineError('conflict', `removal of container ${name} is already in progress`, {
    code: 'CONTAINER_REMOVING',
    details: { name },
  })
}

/**
 * The process could not be started; the CLI derives 126 and 127 from the text. A command that is not there or cannot be
 * executed is the request's mistake.
 */
export function startFailed(id: string, { message, exitCode }: StartError): EngineError {
  return new EngineError(
    exitCode === 128 ? 'internal' : 'invalid_argument',
    `failed to create task for container: failed to create shim task: OCI runtime create failed: unable to start container process: ${message}`,
    { code: 'CONTAINER_START_FAILED', details: { id, exitCode } },
  )
}

/** What a supervisor could not make for its container. A subpath is the request's, and so are mistakes in it. */
export function setupFailed(text: string): Error {
  if (text.startsWith('path concatenation escapes the base directory'))
    return new EngineError('invalid_argument', text, { code: 'SUBPATH_ESCAPES' })
  const [, path] = /^cannot access path (.*): No such file or directory$/.exec(text) ?? []
  if (path === undefined) return new Error(text)
  return new EngineError(
    'not_found',
    `cannot access path ${path}: lstat ${path}: no such file or directory`,
    {
      code: 'SUBPATH_MISSING',
      details: { path },
    },
  )
}

/** The kernel has not ended a process that was killed: it hangs in a system call, or its shim does. */
export function survivedKill(id: string): EngineError {
  return new EngineError(
    'internal',
    `cannot kill container ${id}: tried to kill container, but did not receive an exit event`,
    { code: 'CONTAINER_SURVIVES', details: { id } },
  )
}

/** A source of `--volume` that could not be made. */
export function bindSourceUnmade(path: string, cause: unknown): EngineError {
  return new EngineError(
    'internal',
    `error while creating mount source path '${path}': ${messageOf(cause)}`,
    {
      code: 'BIND_SOURCE_UNMADE',
      details: { path },
      cause,
    },
  )
}

export function bindSourceMissing(path: string): EngineError {
  return new EngineError(
    'invalid_argument',
    `invalid mount config for type "bind": bind source path does not exist: ${path}`,
    { code: 'BIND_SOURCE_MISSING', details: { path } },
  )
}
