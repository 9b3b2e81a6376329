import { XATTR_ENTRY_SIZE, XATTR_HEADER_SIZE, XATTR_PREFIXES, alignUp } from './layout.ts'

/** The largest value and the largest set that the on-disk fields can express. */
export const MAX_XATTR_VALUE = 0xffff
export const MAX_XATTR_AREA = 0xffff * 4

const OPAQUE: readonly [string, Uint8Array] = ['trusted.overlay.opaque', Buffer.from('y')]

/** The attributes of a node, sorted so that equal layers give equal indexes. */
export function xattrsOf(node: {
  readonly xattrs: ReadonlyMap<string, Uint8Array> | undefined
  readonly opaque: boolean
}): readonly (readonly [string, Uint8Array])[] {
  if (node.xattrs === undefined) return node.opaque ? [OPAQUE] : []
  const all = node.opaque ? [...node.xattrs, OPAQUE] : [...node.xattrs]
  return all.sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Bytes they take after the inode; 0 when there are none. */
export function xattrsSize(xattrs: readonly (readonly [string, Uint8Array])[]): number {
  if (xattrs.length === 0) return 0
  let size = XATTR_HEADER_SIZE
  for (const [name, value] of xattrs) {
    size += alignUp(XATTR_ENTRY_SIZE + split(name).rest.length + value.length, 4)
  }
  return size
}

export function xattrCount(size: number): number {
  return size === 0 ? 0 : (size - XATTR_HEADER_SIZE) / 4 + 1
}

export function writeXattrs(
  image: Buffer,
  at: number,
  xattrs: readonly (readonly [string, Uint8Array])[],
): void {
  let to = at + XATTR_HEADER_SIZE
  for (const [name, value] of xattrs) {
    const { index, rest } = split(name)
    image[to] = rest.length
    image[to + 1] = index
    image.writeUInt16LE(value.length, to + 2)
    image.write(rest, to + XATTR_ENTRY_SIZE, 'latin1')
    image.set(value, to + XATTR_ENTRY_SIZE + rest.length)
    to += alignUp(XATTR_ENTRY_SIZE + rest.length + value.length, 4)
  }
}

function split(name: string): { readonly index: number; readonly rest: string } {
  for (const [prefix, index] of XATTR_PREFIXES) {
    if (name.startsWith(prefix)) return { index, rest: name.slice(prefix.length) }
  }
  throw new TypeError(`EROFS cannot express the extended attribute ${name}`)
}
