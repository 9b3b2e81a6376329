import { posix } from 'node:path'
import type { EngineError } from '#base/errors.ts'
import { invalidConfig } from './errors.ts'

/** The clean form of a path inside a container that something is mounted at. Fails with Docker's wording. */
export function mountDestination(path: string): string {
  const clean = checkAbsolute(path)
  if (clean === '/') throw invalidConfig(`invalid specification: destination can't be '/'`)
  return clean
}

/** The clean form of an absolute path. */
export function checkAbsolute(path: string): string {
  if (path.includes('\0')) throw invalidConfig('invalid mount path: it contains a NUL byte')
  if (!path.startsWith('/')) throw invalidConfig(`invalid mount path: '${path}' mount path must be absolute`)
  const clean = posix.normalize(path)
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean
}

/** True for a relative path that stays below where it starts, whatever its parts are. */
export function isLocalPath(path: string): boolean {
  if (path === '' || path.startsWith('/') || path.includes('\0')) return false
  const clean = posix.normalize(path)
  return clean !== '..' && !clean.startsWith('../')
}

export function quotedInvalidMode(mode: string): EngineError {
  return invalidConfig(`invalid mode: ${mode}`)
}
