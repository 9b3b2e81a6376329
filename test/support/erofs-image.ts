/**
 * The smallest EROFS index there is: a root directory with the one file `name`, whose bytes lie in a second file at
 * offset 512, as they do in a tar. For tests of mounting only; field offsets as in the kernel's fs/erofs/erofs_fs.h.
 */
export function erofsImage(name: string, content: string): { readonly index: Buffer; readonly tar: Buffer } {
  const data = Buffer.from(content)
  const tar = Buffer.alloc(512 + Math.ceil(data.length / 512) * 512)
  data.copy(tar, 512)

  const index = Buffer.alloc(2560)
  writeSuperblock(index, tar.length / 512)
  // Block 3: two inodes (nid 0 and 2) and the file's chunk index. Block 4: the directory.
  const directory = directoryBlock([
    { name: '.', nid: 0, type: 2 },
    { name: '..', nid: 0, type: 2 },
    { name, nid: 2, type: 1 },
  ])
  directory.copy(index, 2048)
  writeInode(index, 1536, { layout: 0, mode: 0o40755, size: directory.length, union: 4, links: 2 })
  writeInode(index, 1600, { layout: 4, mode: 0o100644, size: data.length, union: 0x20 | 11, links: 1 })
  index.writeUInt16LE(1, 1666)
  index.writeUInt32LE(1, 1668)
  return { index, tar }
}

function writeSuperblock(index: Buffer, tarBlocks: number): void {
  index.writeUInt32LE(0xe0f5e1e2, 1024)
  index.writeUInt8(9, 1024 + 12)
  index.writeBigUInt64LE(2n, 1024 + 16)
  index.writeUInt32LE(5, 1024 + 36)
  index.writeUInt32LE(3, 1024 + 40)
  index.writeUInt32LE(0xc, 1024 + 80)
  index.writeUInt16LE(1, 1024 + 86)
  index.writeUInt16LE(9, 1024 + 88)
  index.writeUInt32LE(tarBlocks, 1152 + 64)
}

interface Inode {
  readonly layout: number
  readonly mode: number
  readonly size: number
  readonly union: number
  readonly links: number
}

function writeInode(index: Buffer, at: number, inode: Inode): void {
  index.writeUInt16LE(1 | (inode.layout << 1), at)
  index.writeUInt16LE(inode.mode, at + 4)
  index.writeBigUInt64LE(BigInt(inode.size), at + 8)
  index.writeUInt32LE(inode.union, at + 16)
  index.writeUInt32LE(1 + (at - 1536) / 32, at + 20)
  index.writeUInt32LE(inode.links, at + 44)
}

function directoryBlock(entries: readonly { name: string; nid: number; type: number }[]): Buffer {
  const heads = Buffer.alloc(entries.length * 12)
  let nameAt = heads.length
  for (const [i, { name, nid, type }] of entries.entries()) {
    heads.writeBigUInt64LE(BigInt(nid), i * 12)
    heads.writeUInt16LE(nameAt, i * 12 + 8)
    heads.writeUInt8(type, i * 12 + 10)
    nameAt += name.length
  }
  return Buffer.concat([heads, Buffer.from(entries.map(({ name }) => name).join(''))])
}
