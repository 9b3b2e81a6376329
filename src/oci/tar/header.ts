/** The fixed 512-byte header: POSIX pax(1) "ustar Interchange Format", GNU tar manual "Basic Tar Format". */

export const BLOCK = 512

export type HeaderFormat = 'v7' | 'ustar' | 'star' | 'gnu'

export function isZeroBlock(block: Buffer, at: number): boolean {
  for (let i = at; i < at + BLOCK; i++) if (block[i] !== 0) return false
  return true
}

/** Both sums that have been in use: of unsigned and of signed bytes. */
export function checksumMatches(block: Buffer, at: number): boolean {
  let unsigned = 0
  let high = 0
  for (let i = at; i < at + BLOCK; i++) {
    const byte = block[i]!
    unsigned += byte
    high += byte >> 7
  }
  for (let i = at + 148; i < at + 156; i++) {
    const byte = block[i]!
    unsigned += 32 - byte
    high -= byte >> 7
  }
  const stored = number(block, at + 148, 8)
  return stored === unsigned || stored === unsigned - 256 * high
}

export function formatOf(block: Buffer, at: number): HeaderFormat {
  const magic = block.toString('latin1', at + 257, at + 265)
  if (magic === 'ustar  \0') return 'gnu'
  if (!magic.startsWith('ustar\0')) return 'v7'
  return block.toString('latin1', at + 508, at + 512) === 'tar\0' ? 'star' : 'ustar'
}

/** A byte string that ends at its first NUL. */
export function text(block: Buffer, at: number, length: number): string {
  let end = at
  while (end < at + length && block[end] !== 0) end++
  return block.toString('latin1', at, end)
}

/** An octal or base-256 number; NaN when it is neither or not a safe integer. An empty field is 0. */
export function number(block: Buffer, at: number, length: number): number {
  return (block[at]! & 0x80) !== 0 ? base256(block, at, length) : octal(block, at, length)
}

function octal(block: Buffer, at: number, length: number): number {
  const end = at + length
  let i = at
  while (i < end && (block[i] === 0x20 || block[i] === 0)) i++
  let value = 0
  for (; i < end; i++) {
    const byte = block[i]!
    if (byte === 0x20 || byte === 0) return value
    if (byte < 0x30 || byte > 0x37) return Number.NaN
    value = value * 8 + (byte - 0x30)
  }
  return Number.isSafeInteger(value) ? value : Number.NaN
}

function base256(block: Buffer, at: number, length: number): number {
  const negative = (block[at]! & 0x40) !== 0
  const invert = negative ? 0xff : 0
  let value = (block[at]! ^ invert) & 0x7f
  for (let i = at + 1; i < at + length; i++) value = value * 256 + (block[i]! ^ invert)
  if (!Number.isSafeInteger(value)) return Number.NaN
  return negative ? -value - 1 : value
}
