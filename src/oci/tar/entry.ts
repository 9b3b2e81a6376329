import { isUtf8 } from 'node:buffer'

/** What a member of an archive is. */
export type TarType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo'

/** What a file is besides its content: in an archive, and in a tree of files. */
export interface FileAttributes {
  /** Relative and cleaned: no leading `/` or `./`, no `..`, no trailing `/`; empty for the root. */
  readonly path: string
  /** Permission bits including setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number }
  /** Bytes of content, holes included; 0 unless a file. */
  readonly size: number
  /** Target of a symlink (as it is), or cleaned path of an earlier name of a hard link. */
  readonly link?: string
  readonly major?: number
  readonly minor?: number
  readonly xattrs?: ReadonlyMap<string, Uint8Array>
}

/** One member as programs want it: names decoded (see decodeBytes()). */
export interface TarEntry extends FileAttributes {
  readonly type: TarType
}

/** An entry and, for a file, exactly `entry.size` bytes. */
export interface TarFile {
  readonly entry: TarEntry
  readonly data: AsyncIterable<Uint8Array>
}

/** A stretch of a sparse file that has data; the rest reads as zeros. */
export interface Extent {
  /** Position in the file. */
  readonly offset: number
  readonly length: number
}

/**
 * One member as it is stored. Names are *byte strings*: each character is one byte (latin1), so that any name
 * survives and comparing strings compares bytes.
 */
export interface TarMember {
  readonly type: TarType
  readonly path: string
  readonly link: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly seconds: number
  readonly nanoseconds: number
  /** Bytes of content, holes included. */
  readonly size: number
  /** Where the content begins in the archive: always a multiple of 512. */
  readonly offset: number
  /** Bytes of content in the archive: `size`, or the sum of `extents`. */
  readonly stored: number
  /** Only for sparse files: what `stored` consists of, in order. */
  readonly extents: readonly Extent[] | undefined
  readonly major: number
  readonly minor: number
  readonly xattrs: ReadonlyMap<string, Uint8Array> | undefined
}

/**
 * Text of a byte string. Bytes that are not UTF-8 become lone surrogates, U+DC00 plus the byte, as in the names of tree
 * records: UTF-8 gives none, so encodeBytes() finds the way back.
 */
export function decodeBytes(bytes: string): string {
  if (isAscii(bytes)) return bytes
  const buffer = Buffer.from(bytes, 'latin1')
  if (isUtf8(buffer)) return buffer.toString('utf8')
  let text = ''
  for (let at = 0; at < buffer.length;) {
    const lead = buffer[at]!
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    const character = buffer.subarray(at, at + length)
    const valid = isUtf8(character)
    text += valid ? character.toString('utf8') : String.fromCharCode(0xdc00 + lead)
    at += valid ? character.length : 1
  }
  return text
}

/** The byte string of a text: the inverse of decodeBytes(). */
export function encodeBytes(text: string): string {
  if (isAscii(text)) return text
  if (text.isWellFormed()) return Buffer.from(text, 'utf8').toString('latin1')
  return Array.from(text, (character) => {
    const code = character.charCodeAt(0)
    const isByte = character.length === 1 && code >= 0xdc80 && code <= 0xdcff
    return isByte ? String.fromCharCode(code - 0xdc00) : Buffer.from(character, 'utf8').toString('latin1')
  }).join('')
}

export function isAscii(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- the range is the point
  return /^[\0-\x7f]*$/.test(text)
}
