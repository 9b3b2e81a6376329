/**
 * Files of a directory of the host, reached without leaving it: every directory on the way is opened without following
 * symlinks, and its entries are named by `/proc/self/fd`, so that nobody who moves things about meanwhile leads us elsewhere.
 * Names are byte strings (src/oci/tar/entry.ts). The calls are synchronous: each takes a few microseconds, and a
 * thread for each would cost more than the call.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { EngineError, isErrno } from '#base/errors.ts'
import { decodeBytes, isAscii } from '#oci/tar/entry.ts'
import { unreadable } from './errors.ts'

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
/** Neither waits for a writer of a FIFO nor takes a terminal. */
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY
/** Open directories; deeper trees are refused, since each level takes a descriptor. */
const DEEPEST = 512

interface Level {
  readonly name: string
  readonly fd: number
}

/** The directory that was used last and those above it, kept open. */
export class Beneath implements Disposable {
  readonly #root: string
  readonly #levels: Level[] = []

  /** `root` is opened when it is first needed; symlinks in this path are followed. */
  constructor(root: string) {
    this.#root = root
  }

  /** Undefined when it is not there, or something on the way is no directory. */
  stat(path: string): BigIntStats | undefined {
    return this.#missing(path, () => lstatSync(this.#place(path), { bigint: true }))
  }

  /** Undefined as for `stat()`, or when it is no directory. */
  names(path: string): string[] | undefined {
    return this.#missing(path, () => readdirSync(this.#directory(path), { encoding: 'latin1' }))
  }

  link(path: string): string | undefined {
    return this.#missing(path, () => readlinkSync(this.#place(path), { encoding: 'latin1' }))
  }

  /** A descriptor of the file, for reading; the caller closes it. */
  open(path: string): number | undefined {
    return this.#missing(path, () => openSync(this.#place(path), FILE))
  }

  [Symbol.dispose](): void {
    this.#leave(0)
  }

  /** A path that leads to the entry from the descriptor of its directory. */
  #place(path: string): string | Buffer {
    if (path === '') return this.#directory('')
    const slash = path.lastIndexOf('/')
    const directory = this.#directory(path.slice(0, Math.max(slash, 0)))
    const place = `${directory}/${path.slice(slash + 1)}`
    return isAscii(place) ? place : Buffer.from(place, 'latin1')
  }

  /** Ends in `/.`, so that it is the directory that is meant and not the link to it. */
  #directory(path: string): string {
    if (this.#levels.length === 0) {
      const fd = openSync(this.#root, constants.O_RDONLY | constants.O_DIRECTORY)
      this.#levels.push({ name: '', fd })
    }
    const names = path === '' ? [] : path.split('/')
    let depth = 0
    while (depth < names.length && this.#levels[depth + 1]?.name === names[depth]) depth++
    this.#leave(depth + 1)
    for (; depth < names.length; depth++) {
      if (depth >= DEEPEST) throw tooDeep(path)
      this.#enter(names[depth] as string)
    }
    return `/proc/self/fd/${this.#current}/.`
  }

  #enter(name: string): void {
    const place = `/proc/self/fd/${this.#current}/${name}`
    const fd = openSync(isAscii(place) ? place : Buffer.from(place, 'latin1'), DIRECTORY)
    this.#levels.push({ name, fd })
  }

  get #current(): number {
    const level = this.#levels.at(-1)
    if (level === undefined) throw new Error('no directory is open')
    return level.fd
  }

  #leave(keep: number): void {
    for (const { fd } of this.#levels.splice(keep)) closeSync(fd)
  }

  #missing<T>(path: string, work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) return undefined
      throw error instanceof EngineError ? error : unreadable(join(this.#root, decodeBytes(path)), error)
    }
  }
}

function tooDeep(path: string): EngineError {
  return new EngineError(
    'invalid_argument',
    `${path.slice(0, 200)}…: more than ${DEEPEST} directories deep`,
    {
      code: 'SOURCE_TOO_DEEP',
    },
  )
}
