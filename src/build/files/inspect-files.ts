import { createHash } from 'node:crypto'
import { type Digest, digestFrom, digestOf } from '#base/digest.ts'
import type { CopyStep } from '../graph/operations.ts'
import type { CopyInputs } from '../solve/ports.ts'
import type { SourceFile } from '../sources/file-source.ts'
import { Turns } from '../sources/turns.ts'
import type { Taken, TakenFile } from './take-files.ts'

export type FilesOf = Extract<CopyStep['sources'][number], { type: 'files' }>

/**
 * Looks at what a step takes while it is taken, in the order of its sources; times are left out. Documents are no part of it:
 * the step has them. Of an archive that is unpacked its bytes are what counts.
 */
export class Inspection {
  readonly #hash = createHash('sha256')
  readonly #files: { path: string; digest: Digest }[] = []
  readonly #turns = new Turns()
  readonly #signal: AbortSignal
  #sources = 0

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** Passes on what is taken of the next source. What stands for a file is known before whoever takes it goes on. */
  async *watch(source: AsyncIterable<Taken>): AsyncGenerator<Taken> {
    this.#hash.update(`source ${this.#sources++}\n`)
    for await (const taken of source) {
      this.#hash.update(`${taken.kind}\n`)
      if (taken.kind === 'file') {
        await this.#add(taken.file, taken.name, taken.file.attributes.path)
        yield taken
      } else yield { kind: 'contents', files: () => this.#watchFiles(taken.files()) }
    }
  }

  /** Of all that has been passed on; asked once. */
  result(): CopyInputs {
    const files = this.#files.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
    return { digest: digestFrom(this.#hash), files }
  }

  async *#watchFiles(files: AsyncIterable<TakenFile>): AsyncGenerator<TakenFile> {
    for await (const taken of files) {
      await this.#add(taken.file, taken.path, taken.from)
      yield taken
    }
  }

  async #add(file: SourceFile, path: string, from: string): Promise<void> {
    await this.#turns.next()
    const digest = digestOf(await lineOf(file, from, this.#signal))
    this.#hash.update(`${JSON.stringify(path)} ${digest}\n`)
    this.#files.push({ path: from, digest })
  }
}

/** All that a layer has of the file, but its time. `from` is another path than its own for a further name of it. */
async function lineOf(file: SourceFile, from: string, signal: AbortSignal): Promise<string> {
  const { path, type, mode, uid, gid, link, major, minor, xattrs } = file.attributes
  const attributes = [...(xattrs ?? [])]
    .map(([name, value]) => [name, Buffer.from(value).toString('base64')] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([
    type,
    mode,
    uid,
    gid,
    type === 'file' ? await file.digest(signal) : null,
    link ?? null,
    major ?? null,
    minor ?? null,
    attributes,
    path === from ? null : path,
  ])
}
