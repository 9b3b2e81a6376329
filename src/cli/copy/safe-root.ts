import { closeSync, constants, mkdirSync, openSync } from 'node:fs'
import { isErrno } from '#base/errors.ts'
import { commandError } from '../errors.ts'

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/** A directory that is open: names in it are looked up below its descriptor, whatever happens to its path. */
interface Level {
  readonly name: string
  readonly descriptor: number
}

/**
 * A directory that names from an archive cannot lead out of. Every directory on the way is opened for itself, without
 * following symlinks, and files are then reached through the descriptor, so that neither a link in the archive nor one
 * that somebody puts there meanwhile is followed. Names are byte strings.
 */
export class SafeRoot implements Disposable {
  readonly #root: number
  /** The directories of the name that was last asked for, to be used again by its neighbours. */
  #levels: Level[] = []

  constructor(path: string) {
    this.#root = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  }

  /** A path to the member `name` for system calls that do not follow the last element; makes missing directories. */
  resolve(name: string): Buffer {
    const parts = name.split('/')
    const last = parts.pop() ?? ''
    return below(this.#open(parts, name), last)
  }

  /** Like resolve(), for as long as it is not disposed: a path that further lookups leave valid. */
  hold(name: string): { readonly path: Buffer } & Disposable {
    const parts = name.split('/')
    const last = parts.pop() ?? ''
    let descriptor = openSync(`/proc/self/fd/${this.#root}`, constants.O_RDONLY | constants.O_DIRECTORY)
    for (const part of parts) {
      const parent = descriptor
      try {
        descriptor = openDirectory(below(parent, part), name)
      } finally {
        closeSync(parent)
      }
    }
    return { path: below(descriptor, last), [Symbol.dispose]: () => closeSync(descriptor) }
  }

  [Symbol.dispose](): void {
    this.#close(0)
    closeSync(this.#root)
  }

  #open(parts: readonly string[], name: string): number {
    let shared = 0
    while (shared < parts.length && this.#levels[shared]?.name === parts[shared]) shared += 1
    this.#close(shared)
    for (const part of parts.slice(shared)) {
      const parent = this.#levels.at(-1)?.descriptor ?? this.#root
      this.#levels.push({ name: part, descriptor: openDirectory(below(parent, part), name) })
    }
    return this.#levels.at(-1)?.descriptor ?? this.#root
  }

  #close(from: number): void {
    for (const { descriptor } of this.#levels.splice(from)) closeSync(descriptor)
  }
}

/** The path by which the kernel finds `name` in an open directory. */
function below(descriptor: number, name: string): Buffer {
  if (name === '' || name === '.' || name === '..')
    throw commandError(`refusing the name ${JSON.stringify(name)} in an archive`)
  return Buffer.concat([Buffer.from(`/proc/self/fd/${descriptor}/`), Buffer.from(name, 'latin1')])
}

function openDirectory(path: Buffer, name: string): number {
  try {
    return openSync(path, DIRECTORY)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      mkdirSync(path, 0o755)
      return openSync(path, DIRECTORY)
    }
    if (!isErrno(error, 'ELOOP', 'ENOTDIR')) throw error
    throw commandError(
      `refusing to unpack ${Buffer.from(name, 'latin1').toString()}: a directory on the way is a symlink or a file`,
      error,
    )
  }
}
