/** What an archive may ask for. Everything here is far above what real archives contain. */
export const limits = {
  /** Bytes of one extended header (PAX records, long names). */
  extendedHeader: 1 << 20,
  /** Linux: NAME_MAX, and PATH_MAX without its NUL. */
  component: 255,
  path: 4095,
  xattrs: 512,
  xattrName: 255,
  /** XATTR_SIZE_MAX. */
  xattrValue: 65_536,
  sparseRegions: 65_536,
  /** The largest file of ext4. */
  fileSize: 16 * 2 ** 40,
  /** Zeros that a reader makes up for the holes of all sparse files of an archive. */
  expandedHoles: 8 * 2 ** 30,
  /** Files of one layer, implied directories included. */
  nodes: 2_000_000,
} as const
