import { type BigIntStats, constants } from 'node:fs'
import type { TarType } from '#oci/tar/entry.ts'
import type { SourceFile } from './file-source.ts'

const types: ReadonlyMap<number, TarType> = new Map<number, TarType>([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFCHR, 'char'],
  [constants.S_IFBLK, 'block'],
  [constants.S_IFIFO, 'fifo'],
])

/** Undefined for a socket, which is in no tree. */
export function typeOf({ mode }: BigIntStats): TarType | undefined {
  return types.get(Number(mode) & constants.S_IFMT)
}

/** What stat(2) says of a file; not where a symlink leads. */
export function attributesOf(path: string, type: TarType, found: BigIntStats): SourceFile['attributes'] {
  const seconds = found.mtimeNs / 1_000_000_000n
  const nanoseconds = Number(found.mtimeNs % 1_000_000_000n)
  const before1970 = nanoseconds < 0
  const plain: SourceFile['attributes'] = {
    path,
    type,
    mode: Number(found.mode) & 0o7777,
    uid: Number(found.uid),
    gid: Number(found.gid),
    mtime: {
      seconds: Number(seconds) - (before1970 ? 1 : 0),
      nanoseconds: nanoseconds + (before1970 ? 1_000_000_000 : 0),
    },
    size: type === 'file' ? Number(found.size) : 0,
  }
  return type === 'char' || type === 'block' ? { ...plain, ...deviceOf(found.rdev) } : plain
}

/** As makedev(3) puts them together. */
function deviceOf(rdev: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  }
}
