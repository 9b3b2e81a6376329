/**
 * On-disk structures of EROFS as far as an index needs them; all little-endian.
 * Source of the facts: Linux Documentation/filesystems/erofs.rst and the format's own header description.
 */

/** Tar content is aligned to 512 bytes, so that is the block size. */
export const BLOCK_BITS = 9
export const BLOCK_SIZE = 1 << BLOCK_BITS

export const SUPERBLOCK_OFFSET = 1024
export const SUPERBLOCK_MAGIC = 0xe0f5_e1e2
/** mtime is kept per inode. */
export const COMPAT_MTIME = 2
export const INCOMPAT_CHUNKED_FILE = 0x4
export const INCOMPAT_DEVICE_TABLE = 0x8

export const DEVICE_SLOT_SIZE = 128
/** Right behind the superblock. */
export const DEVICE_SLOT = (SUPERBLOCK_OFFSET + DEVICE_SLOT_SIZE) / DEVICE_SLOT_SIZE
export const INODES_OFFSET = SUPERBLOCK_OFFSET + 2 * DEVICE_SLOT_SIZE

/** Inodes are numbered by their position in units of this. */
export const INODE_UNIT = 32
/** The extended form, which has 32-bit owners and its own mtime. */
export const INODE_SIZE = 64
export const LAYOUT_PLAIN = 0
export const LAYOUT_INLINE = 2
export const LAYOUT_CHUNKS = 4

export const CHUNK_INDEXES = 0x20
export const CHUNK_ENTRY_SIZE = 8
export const CHUNK_HOLE = 0xffff_ffff
/** Chunk sizes are blocks shifted by up to five bits' worth. */
export const MAX_CHUNK_SHIFT = 31

export const DIRENT_SIZE = 12

export const S_IFMT = {
  directory: 0o040000,
  file: 0o100000,
  symlink: 0o120000,
  char: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
  whiteout: 0o020000,
} as const

/** File types of directory entries. */
export const DIRENT_TYPE = {
  file: 1,
  directory: 2,
  char: 3,
  whiteout: 3,
  block: 4,
  fifo: 5,
  symlink: 7,
} as const

export const XATTR_HEADER_SIZE = 12
export const XATTR_ENTRY_SIZE = 4

/** Prefixes that are stored as a number; the longest match first. */
export const XATTR_PREFIXES: readonly (readonly [prefix: string, index: number])[] = [
  ['system.posix_acl_access', 2],
  ['system.posix_acl_default', 3],
  ['user.', 1],
  ['trusted.', 4],
  ['security.', 6],
]

/** As the kernel's new_encode_dev(). */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0
}

export function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}
