import { EngineError } from '#base/errors.ts'
import type { StartError } from '../../containers/start-error.ts'

// The wording is BuildKit's: its clients, and people's scripts, look at it.

/** The process of a RUN has ended with another code than 0; `oom`: the kernel killed something in it. `hint`: lines of their own. */
export function processFailed(
  args: readonly string[],
  exitCode: number,
  oom: boolean,
  hint: string | undefined,
): EngineError {
  const reason = oom ? `cannot allocate memory (exit code: ${exitCode})` : `exit code: ${exitCode}`
  const text = hint === undefined ? reason : `${reason}\n${hint}`
  return failed(args, text, { exitCode, oomKilled: oom })
}

export function processNotStarted(
  args: readonly string[],
  { message, exitCode }: StartError,
  cause: unknown,
): EngineError {
  const text = `unable to start container process: ${message.replace(/: unknown$/, '')}`
  return failed(args, text, { exitCode }, cause)
}

/** The shim could not make the root filesystem, the mounts or the network. */
export function processNotPrepared(args: readonly string[], reason: string): EngineError {
  return new EngineError('internal', `cannot prepare ${process(args)}: ${reason}`, {
    code: 'BUILD_RUN_NOT_PREPARED',
  })
}

/** The supervisor of the process was killed: how the process ended is not known. */
export function processLost(args: readonly string[], reason: string): EngineError {
  return new EngineError('internal', `${process(args)} did not complete successfully: ${reason}`, {
    code: 'BUILD_RUN_LOST',
  })
}

function failed(
  args: readonly string[],
  reason: string,
  details: Readonly<Record<string, unknown>>,
  cause?: unknown,
): EngineError {
  const message = `${process(args)} did not complete successfully: ${reason}`
  return new EngineError('invalid_argument', message, { code: 'BUILD_RUN_FAILED', details, cause })
}

function process(args: readonly string[]): string {
  return `process ${JSON.stringify(args.join(' '))}`
}

export function noSuchSecret(id: string): EngineError {
  return new EngineError('not_found', `secret ${id}: not found`, {
    code: 'BUILD_SECRET_MISSING',
    details: { id },
  })
}

export function noSuchAgent(id: string): EngineError {
  return new EngineError('not_found', `no SSH key ${JSON.stringify(id)} forwarded from the client`, {
    code: 'BUILD_AGENT_MISSING',
    details: { id },
  })
}

export function noSuchMountSource(path: string, source: string): EngineError {
  return new EngineError('not_found', `"/${path}": not found in the ${source}`, {
    code: 'BUILD_MOUNT_SOURCE_MISSING',
    details: { path, source },
  })
}

export function cacheMountInUse(id: string): EngineError {
  return new EngineError('conflict', `cache mount ${id} is in use by a build`, {
    code: 'BUILD_CACHE_MOUNT_IN_USE',
    details: { id },
  })
}

export function invalidScriptName(name: string): EngineError {
  return new EngineError('invalid_argument', `invalid name of a heredoc: ${JSON.stringify(name)}`, {
    code: 'BUILD_SCRIPT_NAME_INVALID',
  })
}

/** A layer would say something else with such a file than that it is there; COPY refuses it as well. */
export function reservedName(path: string): EngineError {
  return new EngineError(
    'invalid_argument',
    `/${path}: names that begin with .wh. mean that a file is removed, which no layer can hold\nRemove it in the same RUN.`,
    { code: 'BUILD_FILE_UNSUPPORTED', details: { path } },
  )
}
