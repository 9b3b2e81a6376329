import { constants } from 'node:os'
import { EngineError } from '#base/errors.ts'
import type { ErrorKind } from '#base/errors.ts'

const kinds: Readonly<Record<string, ErrorKind>> = {
  EPERM: 'permission_denied',
  EACCES: 'permission_denied',
  ENOENT: 'not_found',
  EEXIST: 'conflict',
  EBUSY: 'conflict',
  EAGAIN: 'conflict',
  ENOSPC: 'resource_exhausted',
  EDQUOT: 'resource_exhausted',
  EMFILE: 'resource_exhausted',
  ENFILE: 'resource_exhausted',
  ENOMEM: 'resource_exhausted',
}

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]))

/** `ENOENT` for 2; an unknown number as `errno N`. */
function errnoName(errno: number): string {
  // Linux has one number for both names.
  if (errno === constants.errno.EAGAIN) return 'EAGAIN'
  return names.get(errno) ?? `errno ${errno}`
}

/** What a failed system call means to a caller. */
function errnoKind(errno: number): ErrorKind {
  return kinds[errnoName(errno)] ?? 'internal'
}

/** The error of a native program that reported `errno`; `text` says what it was doing. */
export function nativeError(
  errno: number,
  text: string,
  details: Readonly<Record<string, unknown>> = {},
): EngineError {
  const name = errnoName(errno)
  return new EngineError(errnoKind(errno), text, {
    code: 'SYSTEM_CALL_FAILED',
    details: { ...details, errno: name },
  })
}
