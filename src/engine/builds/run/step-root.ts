import { closeSync, constants, lstatSync, openSync, readSync, readlinkSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '#base/errors.ts'
import { MAX_ACCOUNT_FILE } from '#runtime/users.ts'

/** More than the kernel follows. */
const MAX_SYMLINKS = 40

/** Where a path leads. */
export interface Resolved {
  /** Relative, without symlinks as far as it is there. */
  readonly path: string
  /** How many of its components are there. */
  readonly existing: number
}

/** What decides whether a directory has been changed. */
export interface DirectoryFacts {
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/**
 * The root filesystem of a step before its process has begun, so that nobody changes it meanwhile. Symlinks of the image
 * are followed here, by hand, and never lead out of it. Synchronous: a handful of calls that take microseconds.
 */
export class StepRoot {
  readonly #directory: string

  /** `directory`: as this process sees it. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** Where a mount at `path` is going to be; components that are not there stay as they are. */
  resolve(path: string): Resolved {
    const todo = parts(path)
    const done: string[] = []
    let links = 0
    while (todo.length > 0) {
      const part = todo.shift() ?? ''
      if (part === '..') {
        done.pop()
        continue
      }
      const target = this.#link([...done, part].join('/'))
      if (target === undefined) {
        done.push(part)
        continue
      }
      // The runtime will refuse it; nothing of it may be looked at, for the kernel would follow the rest.
      if (links++ === MAX_SYMLINKS) return { path: [...done, part, ...todo].join('/'), existing: 0 }
      if (target.startsWith('/')) done.length = 0
      todo.unshift(...parts(target))
    }
    return { path: done.join('/'), existing: this.#existing(done) }
  }

  /** Of a directory that is there, at a path without symlinks. */
  directory(path: string): DirectoryFacts | undefined {
    const stats = this.#lstat(path)
    if (stats?.isDirectory() !== true) return undefined
    return factsOf(stats)
  }

  /** The text of a file, one byte more than is allowed at most; empty when there is no regular file. */
  read(path: string): string {
    const { path: file, existing } = this.resolve(path)
    if (existing < file.split('/').length || this.#lstat(file)?.isFile() !== true) return ''
    const fd = openSync(join(this.#directory, file), constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      const bytes = Buffer.allocUnsafe(MAX_ACCOUNT_FILE + 1)
      let length = 0
      for (let got = 1; got > 0 && length < bytes.length; length += got) {
        got = readSync(fd, bytes, length, bytes.length - length, null)
      }
      return bytes.toString('utf8', 0, length)
    } finally {
      closeSync(fd)
    }
  }

  #existing(done: readonly string[]): number {
    for (let count = done.length; count > 0; count--) {
      if (this.#lstat(done.slice(0, count).join('/')) !== undefined) return count
    }
    return 0
  }

  #link(path: string): string | undefined {
    if (this.#lstat(path)?.isSymbolicLink() !== true) return undefined
    return readlinkSync(join(this.#directory, path))
  }

  #lstat(path: string): Stats | undefined {
    try {
      return lstatSync(join(this.#directory, path))
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return undefined
      throw error
    }
  }
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

export function factsOf({ mode, uid, gid }: DirectoryFacts): DirectoryFacts {
  return { mode: mode & 0o7777, uid, gid }
}
