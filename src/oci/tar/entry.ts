/** What a member of an archive is. */
export type TarType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo'

/**
 * One member as programs want it: names decoded, relative and cleaned (no leading `/` or `./`, no `..`, no
 * trailing `/`; the root of the archive is the empty path). Field names are those of a tree record (os/tree.ts).
 */
export interface TarEntry {
  readonly type: TarType
  readonly path: string
  /** Permission bits including setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number }
  /** Bytes of content, holes included; 0 unless a file. */
  readonly size: number
  /** Target of a symlink (as it is), or cleaned path of the earlier member of a hard link. */
  readonly link?: string
  readonly major?: number
  readonly minor?: number
  readonly xattrs?: ReadonlyMap<string, Uint8Array>
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

/** Text of a byte string, or undefined when it is not UTF-8. */
export function decodeBytes(bytes: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- the range is the point: ASCII needs no decoding
  if (/^[\0-\x7f]*$/.test(bytes)) return bytes
  try {
    return strictUtf8.decode(Buffer.from(bytes, 'latin1'))
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

/** The byte string of a text. */
export function encodeBytes(text: string): string {
  // oxlint-disable-next-line no-control-regex -- as above
  if (/^[\0-\x7f]*$/.test(text)) return text
  return Buffer.from(text, 'utf8').toString('latin1')
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
