import { isUtf8 } from 'node:buffer'
import { EngineError } from '#base/errors.ts'
import { nativeError } from './errno.ts'
import type { TreeEntry, TreeRecord } from './tree.ts'

/**
 * The record stream of `berth-tree` (native/PROTOCOL.md §3): little-endian, a head of 52 bytes, path, link target and
 * extended attributes, then the data of a file.
 */
const HEAD = 52
const OPAQUE = 1
/** Data are passed on in pieces of about this size, small records many at a time. */
const BATCH = 64 * 1024

const letters: Readonly<Record<TreeRecord['type'], string>> = {
  directory: 'd',
  file: 'f',
  symlink: 'l',
  hardlink: 'h',
  char: 'c',
  block: 'b',
  fifo: 'p',
  whiteout: 'w',
}

const types: ReadonlyMap<number, TreeRecord['type']> = new Map(
  Object.entries(letters).map(([type, letter]) => [letter.charCodeAt(0), type as TreeRecord['type']]),
)

const END = Buffer.alloc(HEAD)
END.write('E')

/** One record without data. */
export function encodeRecord(record: TreeRecord): Uint8Array {
  const path = bytesOfText(record.path)
  const link = bytesOfText(record.link ?? '')
  const head = Buffer.alloc(HEAD)
  head.write(letters[record.type], 0)
  head.writeUInt8(record.opaque === true ? OPAQUE : 0, 1)
  head.writeUInt16LE(record.xattrs?.size ?? 0, 2)
  head.writeUInt32LE(record.mode, 4)
  head.writeUInt32LE(record.uid, 8)
  head.writeUInt32LE(record.gid, 12)
  head.writeUInt32LE(record.major ?? 0, 16)
  head.writeUInt32LE(record.minor ?? 0, 20)
  head.writeBigInt64LE(BigInt(record.mtime.seconds), 24)
  head.writeUInt32LE(record.mtime.nanoseconds, 32)
  head.writeBigUInt64LE(BigInt(record.size), 36)
  head.writeUInt32LE(path.length, 44)
  head.writeUInt32LE(link.length, 48)
  const parts: Uint8Array[] = [head, path, link]
  for (const [name, value] of record.xattrs ?? []) {
    const key = bytesOfText(name)
    const lengths = Buffer.alloc(6)
    lengths.writeUInt16LE(key.length, 0)
    lengths.writeUInt32LE(value.length, 2)
    parts.push(lengths, key, value)
  }
  return Buffer.concat(parts)
}

/** The whole stream, in pieces of a useful size. Fails with `internal` when an entry's data are not `record.size` bytes. */
export async function* encodeEntries(
  entries: AsyncIterable<TreeEntry>,
  options: { readonly data: boolean } = { data: true },
): AsyncGenerator<Uint8Array> {
  let batch: Uint8Array[] = []
  let length = 0
  const add = (bytes: Uint8Array): boolean => {
    batch.push(bytes)
    length += bytes.length
    return length >= BATCH
  }
  const take = (): Uint8Array => {
    const bytes = batch.length === 1 ? (batch[0] as Uint8Array) : Buffer.concat(batch)
    batch = []
    length = 0
    return bytes
  }

  for await (const { record, data } of entries) {
    if (add(encodeRecord(record))) yield take()
    if (record.type !== 'file' || !options.data) continue
    let left = record.size
    for await (const chunk of data) {
      left -= chunk.length
      if (left < 0) break
      if (add(chunk)) yield take()
    }
    if (left !== 0) {
      throw new EngineError('internal', `${record.path}: the data do not have ${record.size} bytes`, {
        code: 'TREE_DATA_SIZE',
      })
    }
  }
  add(END)
  yield take()
}

/**
 * The entries of a stream. Data that the consumer leaves are skipped. An error record is thrown as an EngineError, a
 * stream that is torn or senseless as `internal`.
 */
export async function* decodeEntries(
  source: AsyncIterable<Uint8Array>,
  options: { readonly data: boolean } = { data: true },
): AsyncGenerator<TreeEntry> {
  const reader = new ByteReader(source)
  try {
    for (;;) {
      const record = await readRecord(reader)
      if (record === undefined) return
      let left = options.data && record.type === 'file' ? record.size : 0
      const data = async function* (): AsyncGenerator<Uint8Array> {
        while (left > 0) {
          const chunk = await reader.some(left)
          left -= chunk.length
          yield chunk
        }
      }
      yield { record, data: data() }
      while (left > 0) left -= (await reader.some(left)).length
    }
  } finally {
    await reader.close()
  }
}

/** The first record of a stream, as `stat` prints it; undefined when there is none before the end. */
export async function decodeRecord(source: AsyncIterable<Uint8Array>): Promise<TreeRecord | undefined> {
  const reader = new ByteReader(source)
  try {
    return await readRecord(reader)
  } finally {
    await reader.close()
  }
}

/** Undefined at the end record. */
async function readRecord(reader: ByteReader): Promise<TreeRecord | undefined> {
  const head = await reader.exactly(HEAD)
  const letter = head.readUInt8(0)
  if (letter === 0x45 /* E */) return undefined
  const pathLength = head.readUInt32LE(44)
  const linkLength = head.readUInt32LE(48)
  const strings = await reader.exactly(pathLength + linkLength)
  const path = textOfBytes(strings.subarray(0, pathLength))
  if (letter === 0x58 /* X */) throw nativeError(head.readUInt32LE(16), path)
  const type = types.get(letter)
  if (type === undefined) throw torn(`a record of unknown type ${letter}`)
  const xattrs = await readXattrs(reader, head.readUInt16LE(2))
  return {
    type,
    path,
    mode: head.readUInt32LE(4),
    uid: head.readUInt32LE(8),
    gid: head.readUInt32LE(12),
    mtime: { seconds: Number(head.readBigInt64LE(24)), nanoseconds: head.readUInt32LE(32) },
    size: Number(head.readBigUInt64LE(36)),
    ...(type === 'symlink' || type === 'hardlink' ? { link: textOfBytes(strings.subarray(pathLength)) } : {}),
    ...(type === 'char' || type === 'block'
      ? { major: head.readUInt32LE(16), minor: head.readUInt32LE(20) }
      : {}),
    ...((head.readUInt8(1) & OPAQUE) === 0 ? {} : { opaque: true }),
    ...(xattrs.size === 0 ? {} : { xattrs }),
  }
}

async function readXattrs(reader: ByteReader, count: number): Promise<ReadonlyMap<string, Uint8Array>> {
  const xattrs = new Map<string, Uint8Array>()
  for (let i = 0; i < count; i++) {
    const lengths = await reader.exactly(6)
    const name = textOfBytes(await reader.exactly(lengths.readUInt16LE(0)))
    xattrs.set(name, Uint8Array.from(await reader.exactly(lengths.readUInt32LE(2))))
  }
  return xattrs
}

/** Bytes by number from chunks of any size. What it gives out may be part of a chunk. */
class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** At least one byte, at most `most`. */
  async some(most: number): Promise<Buffer> {
    while (this.#rest.length === 0) this.#rest = await this.#next()
    return this.#cut(Math.min(most, this.#rest.length))
  }

  async exactly(length: number): Promise<Buffer> {
    if (this.#rest.length >= length) return this.#cut(length)
    const parts = [this.#rest]
    let have = this.#rest.length
    while (have < length) {
      const chunk = await this.#next()
      parts.push(chunk)
      have += chunk.length
    }
    this.#rest = Buffer.concat(parts)
    return this.#cut(length)
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  #cut(length: number): Buffer {
    const bytes = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return bytes
  }

  async #next(): Promise<Buffer> {
    const { done, value } = await this.#chunks.next()
    if (done === true) throw torn('it ends early')
    return Buffer.from(value.buffer, value.byteOffset, value.length)
  }
}

function torn(what: string): EngineError {
  return new EngineError('internal', `malformed tree stream: ${what}`, { code: 'TREE_STREAM' })
}

/**
 * Names on Linux are bytes. UTF-8 becomes text; any other byte becomes the lone surrogate U+DC00 plus its value, which
 * no UTF-8 gives, so that `bytesOfText` finds the way back.
 */
export function textOfBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (isUtf8(buffer)) return buffer.toString('utf8')
  let text = ''
  for (let at = 0; at < buffer.length;) {
    const lead = buffer[at] as number
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    const character = buffer.subarray(at, at + length)
    if (isUtf8(character)) {
      text += character.toString('utf8')
      at += character.length
    } else {
      text += String.fromCharCode(0xdc00 + lead)
      at += 1
    }
  }
  return text
}

/** The inverse of `textOfBytes`. A NUL, which no name can hold, is refused. */
export function bytesOfText(text: string): Uint8Array {
  if (text.includes('\0')) {
    throw new EngineError('invalid_argument', `${JSON.stringify(text)}: NUL byte in a path`, {
      code: 'INVALID_PATH',
    })
  }
  if (text.isWellFormed()) return Buffer.from(text)
  return Buffer.concat(
    Array.from(text, (character) => {
      const code = character.charCodeAt(0)
      const isByte = character.length === 1 && code >= 0xdc80 && code <= 0xdcff
      return isByte ? Buffer.from([code - 0xdc00]) : Buffer.from(character)
    }),
  )
}
