import type { Extent, TarEntry, TarFile, TarMember } from './entry.ts'
import { decodeBytes } from './entry.ts'
import { invalidTar } from './errors.ts'
import { limits } from './limits.ts'
import { cleanName } from './names.ts'
import { TarParser } from './parser.ts'

/** Zeros for holes are made up in pieces of this size. */
const PIECE = 1 << 20

/**
 * Reads an archive member by member. Content that is not consumed before the next member is asked for is skipped.
 * Names are cleaned, and one that leads out of the archive is refused (`invalid_argument`), as is everything
 * malformed. Holes of sparse files read as zeros.
 *
 *     for await (const { entry, data } of readTar(source)) …
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarFile> {
  await using events = new Events(source)
  let holes = 0
  for (;;) {
    const member = await events.nextMember()
    if (member === undefined) return
    holes += member.size - member.stored
    if (holes > limits.expandedHoles)
      throw invalidTar(member.path, 'sparse files that are too large when expanded')
    const entry = entryOf(member)
    yield { entry, data: member.size === 0 ? nothing : contentOf(member, events) }
  }
}

type Event = TarMember | Uint8Array

/** The parser's calls as a queue: filled by one chunk at a time, so it stays as small as a chunk. */
class Events implements AsyncDisposable {
  readonly #source: AsyncIterator<Uint8Array>
  readonly #parser: TarParser
  #queue: Event[] = []
  #at = 0
  #ended = false

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
    this.#parser = new TarParser({
      entry: (member) => this.#queue.push(member),
      data: (bytes) => this.#queue.push(bytes),
    })
  }

  async nextMember(): Promise<TarMember | undefined> {
    for (;;) {
      const event = await this.#next()
      if (event === undefined || !(event instanceof Uint8Array)) return event
    }
  }

  /** The next piece of the content at hand; undefined at its end. */
  async nextData(): Promise<Uint8Array | undefined> {
    if (this.#at >= this.#queue.length && !(await this.#fill())) return undefined
    const event = this.#queue[this.#at]
    if (!(event instanceof Uint8Array)) return undefined
    this.#at++
    return event
  }

  async #next(): Promise<Event | undefined> {
    if (this.#at >= this.#queue.length && !(await this.#fill())) return undefined
    return this.#queue[this.#at++]
  }

  /** False at the end of the archive. */
  async #fill(): Promise<boolean> {
    this.#queue = []
    this.#at = 0
    while (this.#queue.length === 0) {
      if (this.#ended) return false
      const { done, value } = await this.#source.next()
      if (done === true) {
        this.#ended = true
        this.#parser.end()
      } else {
        this.#parser.push(value)
      }
    }
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.#source.return?.()
  }
}

async function* contentOf(member: TarMember, events: Events): AsyncGenerator<Uint8Array> {
  if (member.extents === undefined) {
    for (let left = member.size; left > 0;) {
      const bytes = await events.nextData()
      if (bytes === undefined) return
      left -= bytes.length
      yield bytes
    }
    return
  }
  yield* sparseContent(member.extents, member.size, events)
}

async function* sparseContent(
  extents: readonly Extent[],
  size: number,
  events: Events,
): AsyncGenerator<Uint8Array> {
  let position = 0
  let piece: Uint8Array | undefined
  for (const { offset, length } of extents) {
    yield* zeros(offset - position)
    for (let left = length; left > 0;) {
      piece ??= await events.nextData()
      if (piece === undefined) return
      yield piece.subarray(0, left)
      const used = Math.min(piece.length, left)
      piece = used < piece.length ? piece.subarray(used) : undefined
      left -= used
    }
    position = offset + length
  }
  yield* zeros(size - position)
}

function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= PIECE) yield new Uint8Array(Math.min(left, PIECE))
}

const nothing: AsyncIterable<Uint8Array> = {
  async *[Symbol.asyncIterator]() {
    // No content.
  },
}

/** A member as programs want it; its name is cleaned, or refused as by readTar(). */
export function entryOf(member: TarMember): TarEntry {
  const isDevice = member.type === 'char' || member.type === 'block'
  const path = decodeBytes(cleanName(member.path))
  return {
    type: member.type,
    path,
    mode: member.mode,
    uid: member.uid,
    gid: member.gid,
    mtime: { seconds: member.seconds, nanoseconds: member.nanoseconds },
    size: member.size,
    ...(member.type === 'symlink' ? { link: decodeBytes(member.link) } : {}),
    ...(member.type === 'hardlink' ? { link: decodeBytes(cleanName(member.link, member.path)) } : {}),
    ...(isDevice ? { major: member.major, minor: member.minor } : {}),
    ...(member.xattrs === undefined ? {} : { xattrs: decodedKeys(member.xattrs) }),
  }
}

function decodedKeys(xattrs: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
  return new Map([...xattrs].map(([name, value]) => [decodeBytes(name), value]))
}
