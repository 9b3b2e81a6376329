import type { TarMember, TarType } from './entry.ts'
import { invalidTar } from './errors.ts'
import { BLOCK, checksumMatches, formatOf, isZeroBlock, number, text, type HeaderFormat } from './header.ts'
import { limits } from './limits.ts'
import { parsePax } from './pax.ts'
import { resolveMember, type Pending } from './member.ts'
import { checkSparse, readOldSparse, SparseMapReader } from './sparse.ts'

/** What a parser tells while bytes go by. All calls are synchronous; throwing stops the parser for good. */
export interface TarHandler {
  /** A member, before its content. */
  entry(member: TarMember): void
  /** Stored content of the last member; `bytes` is a view of what was pushed. */
  data?(bytes: Uint8Array): void
}

type State = 'header' | 'extended' | 'old-sparse' | 'sparse-map' | 'content' | 'padding' | 'end'

const types: Readonly<Record<string, TarType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  S: 'file',
}

/**
 * A tar parser that bytes are pushed into, in chunks of any size: v7, ustar, star, GNU (long names, base-256,
 * sparse) and PAX (global too, SCHILY.xattr, sparse 0.0, 0.1, 1.0). Anything malformed is an `invalid_argument`
 * that names the member.
 *
 *     const parser = new TarParser(handler)
 *     for await (const chunk of tar) parser.push(chunk)
 *     parser.end()
 */
export class TarParser {
  readonly #handler: TarHandler
  #state: State = 'header'
  /** Position in the archive of the next byte to be looked at. */
  #position = 0
  /** Bytes left of the content or of the padding. */
  #left = 0
  #paddingAfter = 0
  /** Collects a unit (block or extended header) that is spread over chunks. */
  #unit: Buffer = Buffer.allocUnsafe(BLOCK)
  #unitSize = BLOCK
  #collected = 0
  #zeroBlocks = 0

  #extendedType = ''
  #pending: Pending = { global: undefined, local: undefined, longName: undefined, longLink: undefined }
  #member: TarMember | undefined
  #sparseNumbers: number[] = []
  #sparseMap: SparseMapReader | undefined

  constructor(handler: TarHandler) {
    this.#handler = handler
  }

  push(chunk: Uint8Array): void {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let at = 0
    while (at < buffer.length) {
      switch (this.#state) {
        case 'content':
        case 'padding':
          at = this.#pass(buffer, at)
          break
        case 'end':
          return
        default:
          at = this.#collect(buffer, at)
      }
    }
  }

  /** The archive ends here; rejects one that is cut off. */
  end(): void {
    const { local, longName, longLink } = this.#pending
    const dangling = local !== undefined || longName !== undefined || longLink !== undefined
    // Docker's client, when it adds a Dockerfile, neither fills the last block nor ends the archive.
    const between = this.#state === 'padding' || (this.#state === 'header' && this.#collected === 0)
    const whole = this.#state === 'end' || (between && !dangling)
    if (!whole) throw this.#invalid('unexpected end of the archive')
  }

  #pass(buffer: Buffer, at: number): number {
    const count = Math.min(this.#left, buffer.length - at)
    if (this.#state === 'content' && count > 0) this.#handler.data?.(buffer.subarray(at, at + count))
    this.#left -= count
    this.#position += count
    if (this.#left === 0) this.#afterPass()
    return at + count
  }

  #afterPass(): void {
    if (this.#state === 'content' && this.#paddingAfter > 0) {
      this.#state = 'padding'
      this.#left = this.#paddingAfter
    } else {
      this.#member = undefined
      this.#expect('header', BLOCK)
    }
  }

  #expect(state: State, size: number): void {
    this.#state = state
    this.#unitSize = size
    this.#collected = 0
  }

  #collect(buffer: Buffer, at: number): number {
    const count = Math.min(this.#unitSize - this.#collected, buffer.length - at)
    if (count === this.#unitSize) {
      // The usual case: the unit lies in the chunk as a whole.
      this.#position += count
      this.#take(buffer, at)
      return at + count
    }
    if (this.#unit.length < this.#unitSize) {
      const larger = Buffer.allocUnsafe(this.#unitSize)
      this.#unit.copy(larger, 0, 0, this.#collected)
      this.#unit = larger
    }
    buffer.copy(this.#unit, this.#collected, at, at + count)
    this.#collected += count
    this.#position += count
    if (this.#collected === this.#unitSize) this.#take(this.#unit, 0)
    return at + count
  }

  #take(buffer: Buffer, at: number): void {
    switch (this.#state) {
      case 'header':
        this.#collected = 0
        return this.#header(buffer, at)
      case 'extended':
        return this.#extended(buffer.subarray(at, at + this.#unitSize))
      case 'old-sparse': {
        const more = readOldSparse(buffer, at, 21, at + 504, this.#sparseNumbers)
        if (this.#sparseNumbers.length > 2 * limits.sparseRegions)
          throw this.#invalid('too many sparse regions')
        if (!more) this.#beginSparse(this.#member!, this.#sparseNumbers)
        this.#collected = 0
        return
      }
      case 'sparse-map':
        this.#collected = 0
        return this.#sparseMapBlock(buffer, at)
      default:
        throw new Error(`tar parser in state ${this.#state}`)
    }
  }

  #header(buffer: Buffer, at: number): void {
    if (buffer[at] === 0 && isZeroBlock(buffer, at)) {
      if (++this.#zeroBlocks === 2) this.#state = 'end'
      return
    }
    if (this.#zeroBlocks > 0) throw this.#invalid('a lone zero block inside the archive')
    if (!checksumMatches(buffer, at)) throw this.#invalid('header with a wrong checksum')

    const flag = String.fromCharCode(buffer[at + 156]!)
    if (flag === 'x' || flag === 'X' || flag === 'g' || flag === 'L' || flag === 'K') {
      return this.#beginExtended(flag, number(buffer, at + 124, 12))
    }
    this.#begin(buffer, at, flag)
  }

  #beginExtended(flag: string, size: number): void {
    if (!(size > 0 && size <= limits.extendedHeader)) {
      throw this.#invalid(`extended header of ${Number.isNaN(size) ? 'invalid size' : `${size} bytes`}`)
    }
    this.#extendedType = flag
    this.#paddingAfter = padding(size)
    this.#expect('extended', size)
  }

  #extended(data: Buffer): void {
    const pending = this.#pending
    switch (this.#extendedType) {
      case 'L':
        pending.longName = text(data, 0, data.length)
        break
      case 'K':
        pending.longLink = text(data, 0, data.length)
        break
      case 'g':
        pending.global = merge(pending.global, parsePax(data, pending.longName ?? ''))
        break
      default:
        pending.local = parsePax(data, pending.longName ?? '')
    }
    this.#left = this.#paddingAfter
    if (this.#left > 0) this.#state = 'padding'
    else this.#expect('header', BLOCK)
    this.#collected = 0
  }

  #begin(buffer: Buffer, at: number, flag: string): void {
    const format = formatOf(buffer, at)
    const rawName = headerName(buffer, at, format)
    const type = types[flag]
    if (type === undefined) {
      throw this.#invalid(`unsupported type ${JSON.stringify(flag)}`, this.#pending.longName ?? rawName)
    }
    const pending = this.#pending
    this.#pending = { global: pending.global, local: undefined, longName: undefined, longLink: undefined }
    const { member, sparse } = resolveMember(buffer, at, {
      type,
      rawName,
      flag,
      position: this.#position,
      pending,
    })

    if (flag === 'S') {
      this.#sparseNumbers = []
      const more = readOldSparse(buffer, at + 386, 4, at + 482, this.#sparseNumbers)
      const withSize = { ...member, size: fieldSize(number(buffer, at + 483, 12), member.path) }
      if (!more) return this.#beginSparse(withSize, this.#sparseNumbers)
      this.#member = withSize
      return this.#expect('old-sparse', BLOCK)
    }
    if (sparse?.kind === 'map') {
      this.#member = member
      this.#sparseMap = new SparseMapReader(member.path)
      return this.#expect('sparse-map', BLOCK)
    }
    if (sparse?.kind === 'list') return this.#beginSparse(member, sparse.numbers)
    this.#emit(member)
  }

  #sparseMapBlock(buffer: Buffer, at: number): void {
    const member = this.#member!
    const stored = member.stored - BLOCK
    if (stored < 0) throw this.#invalid('sparse map larger than the member')
    this.#member = { ...member, stored }
    if (this.#sparseMap!.push(buffer, at)) this.#beginSparse(this.#member, this.#sparseMap!.numbers)
  }

  #beginSparse(member: TarMember, numbers: readonly number[]): void {
    const extents = checkSparse(numbers, member.size, member.stored, member.path)
    this.#emit({ ...member, extents, offset: this.#position })
  }

  #emit(member: TarMember): void {
    this.#member = member
    this.#handler.entry(member)
    this.#paddingAfter = padding(member.stored)
    this.#left = member.stored
    if (this.#left > 0) this.#state = 'content'
    else this.#afterPass()
  }

  #invalid(reason: string, name = this.#member?.path ?? this.#pending.longName ?? ''): Error {
    return invalidTar(name, `${reason} (at byte ${this.#position})`)
  }
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}

function fieldSize(size: number, name: string): number {
  if (size >= 0 && size <= limits.fileSize) return size
  throw invalidTar(name, 'invalid size of a sparse file')
}

function headerName(buffer: Buffer, at: number, format: HeaderFormat): string {
  const name = text(buffer, at, 100)
  if (format !== 'ustar' && format !== 'star') return name
  const prefix = text(buffer, at + 345, format === 'star' ? 131 : 155)
  return prefix === '' ? name : `${prefix}/${name}`
}

function merge(
  before: Pending['global'],
  after: NonNullable<Pending['global']>,
): NonNullable<Pending['global']> {
  if (before === undefined) return after
  const merged = {
    values: new Map([...before.values, ...after.values]),
    xattrs: new Map([...before.xattrs, ...after.xattrs]),
    sparse: after.sparse,
  }
  // Global headers add up: without a cap an archive of nothing else would fill the memory.
  if (merged.values.size > 1024 || merged.xattrs.size > limits.xattrs) {
    throw invalidTar('', 'too many global PAX records')
  }
  return merged
}
