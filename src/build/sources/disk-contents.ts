import { type BigIntStats, closeSync, fstatSync } from 'node:fs'
import { createHash } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { type Digest, digestFrom } from '#base/digest.ts'
import { decodeBytes } from '#oci/tar/entry.ts'
import { type FileDigests, type FileState, isSettled } from '#store/file-digests.ts'
import type { Beneath } from './beneath.ts'
import { changedFile } from './errors.ts'
import { readRange } from './read-range.ts'
import { Turns } from './turns.ts'

export interface DiskContentsDeps {
  /** Of the source, for messages. */
  readonly name: string
  readonly clock: Clock
  /** What is known from earlier builds. */
  readonly digests?: FileDigests | undefined
}

interface Known {
  readonly digest: Digest
  /** A later change shows in the file's times; otherwise the content has to be looked at again. */
  readonly settled: boolean
}

/** Contents of the files of a directory, which are what `stat` said of them when they were found, or `data_loss`. */
export class DiskContents {
  readonly #beneath: Beneath
  readonly #deps: DiskContentsDeps
  readonly #known = new Map<string, Known>()
  readonly #turns = new Turns()

  constructor(beneath: Beneath, deps: DiskContentsDeps) {
    this.#beneath = beneath
    this.#deps = deps
  }

  /** `path` is a byte string. */
  async digest(path: string, state: FileState, signal?: AbortSignal): Promise<Digest> {
    const known = this.#known.get(keyOf(state)) ?? this.#remembered(state)
    if (known !== undefined) return known.digest
    const hash = createHash('sha256')
    // What happens from now on may not show in the file's times.
    const now = this.#now()
    for await (const chunk of this.#bytes(path, state)) {
      signal?.throwIfAborted()
      hash.update(chunk)
    }
    const digest = digestFrom(hash)
    const settled = isSettled(state, now)
    this.#known.set(keyOf(state), { digest, settled })
    if (settled) this.#deps.digests?.remember(state, digest)
    return digest
  }

  async *read(path: string, state: FileState): AsyncGenerator<Uint8Array> {
    const known = this.#known.get(keyOf(state))
    if (known === undefined || known.settled) {
      yield* this.#bytes(path, state)
      return
    }
    const hash = createHash('sha256')
    for await (const chunk of this.#bytes(path, state)) {
      hash.update(chunk)
      yield chunk
    }
    if (digestFrom(hash) !== known.digest) throw this.#changed(path)
  }

  #remembered(state: FileState): Known | undefined {
    const digest = this.#deps.digests?.lookup(state)
    if (digest === undefined) return undefined
    const known = { digest, settled: true }
    this.#known.set(keyOf(state), known)
    return known
  }

  async *#bytes(path: string, state: FileState): AsyncGenerator<Uint8Array> {
    await this.#turns.next()
    const fd = this.#beneath.open(path)
    if (fd === undefined) throw this.#changed(path)
    try {
      this.#check(path, fd, state)
      const size = Number(state.size)
      let left = size
      for await (const chunk of readRange(fd, 0, size)) {
        left -= chunk.length
        // Before the last piece is given away, not after: whoever has all bytes asks for no more.
        if (left === 0) this.#check(path, fd, state)
        yield chunk
      }
      if (left > 0) throw this.#changed(path)
    } finally {
      closeSync(fd)
    }
  }

  #check(path: string, fd: number, state: FileState): void {
    if (keyOf(fstatSync(fd, { bigint: true })) !== keyOf(state)) throw this.#changed(path)
  }

  #changed(path: string): Error {
    return changedFile(this.#deps.name, decodeBytes(path))
  }

  #now(): bigint {
    return BigInt(this.#deps.clock.now().getTime()) * 1_000_000n
  }
}

function keyOf({ dev, ino, size, mtimeNs, ctimeNs }: FileState | BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
}
