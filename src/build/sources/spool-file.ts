import { close, openSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { isHole } from '#os/holes.ts'
import type { Extent } from '#oci/tar/entry.ts'
import { storageError } from '#store/snapshots/errors.ts'
import { readRange } from './read-range.ts'
import { Turns } from './turns.ts'

/** Small pieces are put together until there is this much. */
const BATCH = 1 << 20
/** Zeros for holes are made up in pieces of this size. */
const PIECE = 1 << 20

const closeLater = promisify(close)

/** Writes `bytes` to the new file `path` and tells `onChunk` of each piece; what is zeros is holes. It is not synced: nothing outlives the daemon. */
export async function writeSpool(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  onChunk: (chunk: Uint8Array) => void,
): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  let batch: Uint8Array[] = []
  let size = 0
  let position = 0
  const flush = async (): Promise<void> => {
    const bytes = batch.length === 1 ? (batch[0] as Uint8Array) : Buffer.concat(batch)
    if (!isHole(bytes)) await writeAt(file, bytes, position, path)
    position += bytes.length
    batch = []
    size = 0
  }
  for await (const chunk of bytes) {
    onChunk(chunk)
    batch.push(chunk)
    size += chunk.length
    if (size >= BATCH) await flush()
  }
  await flush()
  await file.truncate(position)
}

async function writeAt(file: FileHandle, bytes: Uint8Array, from: number, path: string): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) {
      at += (await file.write(bytes, at, undefined, from + at)).bytesWritten
    }
  } catch (error) {
    throw storageError(error, path)
  }
}

/** A file that others lie in. */
export class SpoolFile implements AsyncDisposable {
  readonly #fd: number

  constructor(path: string) {
    this.#fd = openSync(path, 'r')
  }

  read(from: number, length: number): AsyncIterable<Uint8Array> {
    return readRange(this.#fd, from, length)
  }

  /** A file of `size` bytes whose stretches with data lie one after the other from `from` on. */
  async *readSparse(from: number, size: number, extents: readonly Extent[]): AsyncGenerator<Uint8Array> {
    // Nothing is waited for in holes that would let others have their turn.
    const turns = new Turns()
    let position = 0
    let stored = from
    for (const { offset, length } of extents) {
      await turns.next()
      yield* zeros(offset - position, turns)
      yield* readRange(this.#fd, stored, length)
      stored += length
      position = offset + length
    }
    yield* zeros(size - position, turns)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeLater(this.#fd)
  }
}

async function* zeros(count: number, turns: Turns): AsyncGenerator<Uint8Array> {
  for (let left = count; left > 0; left -= PIECE) {
    yield new Uint8Array(Math.min(left, PIECE))
    await turns.next()
  }
}
