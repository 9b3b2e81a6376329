import { constants } from 'node:fs'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { isErrno } from '#base/errors.ts'
import { ByteRanges } from './byte-ranges.ts'
import type { ByteRange } from './ingests.ts'

/**
 * Which parts of a partial blob have been written: a line with the size of the blob, then one per range, appended as
 * bytes come. A line is written after its bytes; one without its end was cut by a crash and counts for nothing.
 */
export class ProgressFile implements AsyncDisposable {
  readonly #file: FileHandle
  #appending: Promise<void> = Promise.resolve()

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** Writes the file anew, in few lines. */
  static async create(path: string, size: number, ranges: readonly ByteRange[]): Promise<ProgressFile> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND
    const file = new ProgressFile(await open(path, flags | constants.O_NOFOLLOW, 0o600))
    await file.#write(`${HEAD} ${size}\n${linesOf(ranges)}`)
    return file
  }

  /** One after the other, in the order of the calls. */
  async append(ranges: readonly ByteRange[]): Promise<void> {
    const before = this.#appending
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#appending = promise
    try {
      await before
      await this.#write(linesOf(ranges))
    } finally {
      resolve()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#appending
    await this.#file.close()
  }

  async #write(text: string): Promise<void> {
    await this.#file.appendFile(text)
  }
}

const HEAD = 'berth-ingest 1'

export interface Progress {
  readonly size: number
  readonly ranges: ByteRanges
}

/** Undefined when there is none, or none that can be understood. */
export async function readProgress(path: string): Promise<Progress | undefined> {
  let text: string
  try {
    text = await readFile(path, 'latin1')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined
    throw error
  }
  const [head = '', ...lines] = text.split('\n').slice(0, -1)
  const size = Number(/^berth-ingest 1 (\d{1,15})$/.exec(head)?.[1] ?? Number.NaN)
  if (Number.isNaN(size)) return undefined
  const ranges = new ByteRanges()
  for (const line of lines) {
    const [, offset, end] = /^(\d{1,15}) (\d{1,15})$/.exec(line) ?? []
    if (offset === undefined || Number(end) > size) return undefined
    ranges.add({ offset: Number(offset), end: Number(end) })
  }
  return { size, ranges }
}

function linesOf(ranges: readonly ByteRange[]): string {
  return ranges.map(({ offset, end }) => `${offset} ${end}\n`).join('')
}
