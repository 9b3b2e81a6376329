import { basename } from 'node:path'
import { projectError } from '../document/errors.ts'

/** A name that somebody chose: refused unless it is valid. */
export function checkProjectName(name: string): string {
  if (/^[a-z0-9][a-z0-9_-]*$/.test(name)) return name
  throw projectError(
    `invalid project name ${JSON.stringify(name)}: must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number`,
  )
}

/** The name of a directory, made valid; empty when nothing valid is left. */
export function normalProjectName(directory: string): string {
  return basename(directory)
    .toLowerCase()
    .replaceAll(/[^-_a-z0-9]/g, '')
    .replace(/^[-_]+/, '')
}
