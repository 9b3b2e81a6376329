import { readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { isErrno, messageOf } from '#base/errors.ts'
import { projectError } from '../document/errors.ts'

const NAMES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml']
const OVERRIDES = [
  'compose.override.yml',
  'compose.override.yaml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
]

/** Files of this machine, as far as a project needs them. */
export interface Files {
  /** The text of a file; undefined where there is none. */
  read(path: string): string | undefined
  isDirectory(path: string): boolean
}

/** The files of the disk; `-` is what came on standard input. */
export function diskFiles(stdin?: string): Files {
  return {
    read(path) {
      if (path === '-') return stdin ?? ''
      try {
        return readFileSync(path, 'utf8')
      } catch (error) {
        if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
        throw projectError(`cannot read ${path}: ${messageOf(error)}`, { cause: error })
      }
    },
    isDirectory: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  }
}

/** The project files in a directory, or in the nearest one above it that has some. */
export function discoverFiles(
  files: Files,
  directory: string,
  warn: (message: string) => void,
): readonly string[] | undefined {
  for (let at = resolve(directory); ; at = dirname(at)) {
    const exists = (name: string): boolean => files.read(join(at, name)) !== undefined
    const [found, ...others] = NAMES.filter(exists)
    if (found !== undefined) {
      if (others.length > 0) {
        warn(
          `Found multiple config files with supported names: ${[found, ...others].map((name) => join(at, name)).join(', ')}`,
        )
        warn(`Using ${join(at, found)}`)
      }
      const override = OVERRIDES.filter(exists)[0]
      return override === undefined ? [join(at, found)] : [join(at, found), join(at, override)]
    }
    if (at === dirname(at)) return undefined
  }
}
