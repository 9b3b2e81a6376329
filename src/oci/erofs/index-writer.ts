import type { LayerNode, LayerTree } from '../tar/layer-tree.ts'
import { chunkMap, forEachChunk, MAX_CHUNKS, type ChunkMap } from './chunks.ts'
import { planDirectory, writeDirectoryBlock, type DirectoryPlan } from './directory.ts'
import {
  alignUp,
  BLOCK_BITS,
  BLOCK_SIZE,
  CHUNK_ENTRY_SIZE,
  CHUNK_HOLE,
  CHUNK_INDEXES,
  COMPAT_MTIME,
  DEVICE_SLOT,
  DEVICE_SLOT_SIZE,
  encodeDevice,
  INCOMPAT_CHUNKED_FILE,
  INCOMPAT_DEVICE_TABLE,
  INODE_SIZE,
  INODE_UNIT,
  INODES_OFFSET,
  LAYOUT_CHUNKS,
  LAYOUT_INLINE,
  LAYOUT_PLAIN,
  S_IFMT,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_OFFSET,
} from './layout.ts'
import { MAX_XATTR_AREA, MAX_XATTR_VALUE, writeXattrs, xattrCount, xattrsOf, xattrsSize } from './xattrs.ts'

export interface IndexOptions {
  /** Length of the tar in bytes. */
  readonly tarSize: number
  /** 16 bytes. */
  readonly uuid: Uint8Array
}

/** Why a layer cannot be expressed as an index over its tar, as text; undefined when it can. */
export function indexObstacle(tree: LayerTree, tarSize: number): string | undefined {
  if (tree.lowerLinks > 0) return 'it has a hard link to a file of a lower layer'
  if (Math.ceil(tarSize / BLOCK_SIZE) >= 0xffff_ffff) return 'it is larger than 2 TiB'
  let chunks = 0
  for (const node of walk(tree.root)) {
    if (node.kind === 'file' && node.extents !== undefined && node.size > 0) {
      const map = chunkMap(node)
      chunks += map?.count ?? 0
      if (map === undefined || chunks > MAX_CHUNKS)
        return 'it has a sparse file whose holes are not aligned or too many'
    }
    if (node.xattrs === undefined) continue
    for (const value of node.xattrs.values()) {
      if (value.length > MAX_XATTR_VALUE) return 'it has an extended attribute of the largest size'
    }
    if (xattrsSize(xattrsOf(node)) > MAX_XATTR_AREA) return 'it has a file with very many extended attributes'
  }
  return undefined
}

/**
 * An EROFS image without data: its files' content lies in the layer's tar, which is given to the kernel as extra
 * device (`device=`). Equal trees give equal bytes.
 */
export function writeIndex(tree: LayerTree, options: IndexOptions): Buffer {
  const plans = planInodes(tree.root)
  const image = Buffer.alloc(plans.end)
  const nidOf = (node: LayerNode): number => plans.inodes.get(node)!.at / INODE_UNIT
  let ino = 0
  for (const [node, plan] of plans.inodes) {
    writeInode(image, node, plan, ++ino)
    writeXattrs(image, plan.at + INODE_SIZE, plan.xattrs)
    writeBody(image, node, plan, nidOf)
  }
  writeSuperblock(image, options, { inodes: ino, root: nidOf(tree.root) })
  return image
}

interface InodePlan {
  /** Position of the inode. */
  readonly at: number
  readonly xattrs: readonly (readonly [string, Uint8Array])[]
  readonly xattrsSize: number
  readonly layout: number
  readonly directory: DirectoryPlan | undefined
  readonly chunks: ChunkMap | undefined
  /** First block of a plain layout; set once all inodes have their place. */
  block: number
  links: number
}

interface ImagePlan {
  readonly inodes: ReadonlyMap<LayerNode, InodePlan>
  readonly end: number
}

/** Gives every node its place: inodes first, the root at their head, then the blocks that do not fit inline. */
function planInodes(root: LayerNode): ImagePlan {
  const inodes = new Map<LayerNode, InodePlan>()
  const withBlocks: { plan: InodePlan; size: number }[] = []
  let at = INODES_OFFSET
  for (const node of walk(root)) {
    const known = inodes.get(node)
    if (known !== undefined) {
      known.links++
      continue
    }
    const { plan, end, blockBytes } = planInode(node, at)
    inodes.set(node, plan)
    if (blockBytes > 0) withBlocks.push({ plan, size: blockBytes })
    at = alignUp(end, INODE_UNIT)
  }
  let block = alignUp(at, BLOCK_SIZE) / BLOCK_SIZE
  for (const { plan, size } of withBlocks) {
    plan.block = block
    block += Math.ceil(size / BLOCK_SIZE)
  }
  return { inodes, end: block * BLOCK_SIZE }
}

function planInode(
  node: LayerNode,
  at: number,
): { readonly plan: InodePlan; readonly end: number; readonly blockBytes: number } {
  const xattrs = xattrsOf(node)
  const size = xattrsSize(xattrs)
  const directory = node.kind === 'directory' ? planDirectory(node) : undefined
  const chunks = node.kind === 'file' && node.size > 0 ? chunkMap(node) : undefined
  const base = { xattrs, xattrsSize: size, directory, chunks, block: 0, links: links(node) }

  if (chunks !== undefined) {
    const end = alignUp(at + INODE_SIZE + size, CHUNK_ENTRY_SIZE) + chunks.count * CHUNK_ENTRY_SIZE
    return { plan: { ...base, at, layout: LAYOUT_CHUNKS }, end, blockBytes: 0 }
  }
  const body = bodySize(node, directory)
  // Inline content must not cross a block; shifting the inode makes room for up to this much.
  const inline = body > 0 && body <= BLOCK_SIZE - INODE_UNIT
  let start = at
  while (inline && ((start + INODE_SIZE + size) % BLOCK_SIZE) + body > BLOCK_SIZE) start += INODE_UNIT
  const plan = { ...base, at: start, layout: inline ? LAYOUT_INLINE : LAYOUT_PLAIN }
  return { plan, end: start + INODE_SIZE + size + (inline ? body : 0), blockBytes: inline ? 0 : body }
}

/** The size of what lies in the index itself: directory entries and symlink targets. */
function bodySize(node: LayerNode, directory: DirectoryPlan | undefined): number {
  if (node.kind === 'symlink') return node.target.length
  return directory === undefined ? 0 : (directory.starts.length - 1) * BLOCK_SIZE + directory.tail
}

function links(node: LayerNode): number {
  if (node.children === undefined) return 1
  let count = 2
  for (const child of node.children.values()) if (child.kind === 'directory') count++
  return count
}

function writeInode(image: Buffer, node: LayerNode, plan: InodePlan, ino: number): void {
  if (node.kind === 'lower-link') throw new TypeError('EROFS cannot express a link into another layer')
  const at = plan.at
  image.writeUInt16LE(1 | (plan.layout << 1), at)
  image.writeUInt16LE(xattrCount(plan.xattrsSize), at + 2)
  image.writeUInt16LE(S_IFMT[node.kind] | node.mode, at + 4)
  const size = node.kind === 'file' ? node.size : bodySize(node, plan.directory)
  writeUInt64(image, size, at + 8)
  image.writeUInt32LE(unionField(node, plan), at + 16)
  image.writeUInt32LE(ino, at + 20)
  image.writeUInt32LE(node.uid, at + 24)
  image.writeUInt32LE(node.gid, at + 28)
  writeUInt64(image, node.seconds, at + 32)
  image.writeUInt32LE(node.nanoseconds, at + 40)
  image.writeUInt32LE(plan.links, at + 44)
}

/** The field that is a start block, a device number or a chunk format. */
function unionField(node: LayerNode, plan: InodePlan): number {
  if (node.kind === 'char' || node.kind === 'block') return encodeDevice(node.major, node.minor)
  if (plan.chunks !== undefined) return CHUNK_INDEXES | plan.chunks.shift
  return plan.block
}

function writeBody(
  image: Buffer,
  node: LayerNode,
  plan: InodePlan,
  nidOf: (node: LayerNode) => number,
): void {
  const inline = plan.at + INODE_SIZE + plan.xattrsSize
  const at = plan.layout === LAYOUT_INLINE ? inline : plan.block * BLOCK_SIZE
  if (node.kind === 'symlink') {
    image.write(node.target, at, 'latin1')
  } else if (plan.directory !== undefined) {
    for (let i = 0; i < plan.directory.starts.length; i++) {
      writeDirectoryBlock(image, at + i * BLOCK_SIZE, node, plan.directory, i, nidOf)
    }
  } else if (plan.chunks !== undefined) {
    const entries = alignUp(inline, CHUNK_ENTRY_SIZE)
    for (let i = 0; i < plan.chunks.count; i++) {
      image.writeUInt32LE(CHUNK_HOLE, entries + i * CHUNK_ENTRY_SIZE + 4)
    }
    forEachChunk(node, plan.chunks, (chunk, block) => {
      const entry = entries + chunk * CHUNK_ENTRY_SIZE
      image.writeUInt16LE(1, entry + 2)
      image.writeUInt32LE(block, entry + 4)
    })
  }
}

function writeSuperblock(
  image: Buffer,
  options: IndexOptions,
  { inodes, root }: { readonly inodes: number; readonly root: number },
): void {
  const at = SUPERBLOCK_OFFSET
  image.writeUInt32LE(SUPERBLOCK_MAGIC, at)
  image.writeUInt32LE(COMPAT_MTIME, at + 8)
  image[at + 12] = BLOCK_BITS
  image.writeUInt16LE(root, at + 14)
  writeUInt64(image, inodes, at + 16)
  image.writeUInt32LE(image.length / BLOCK_SIZE, at + 36)
  image.set(options.uuid.subarray(0, 16), at + 48)
  image.write('berth', at + 64, 'latin1')
  image.writeUInt32LE(INCOMPAT_CHUNKED_FILE | INCOMPAT_DEVICE_TABLE, at + 80)
  image.writeUInt16LE(1, at + 86)
  image.writeUInt16LE(DEVICE_SLOT, at + 88)

  const slot = DEVICE_SLOT * DEVICE_SLOT_SIZE
  image.write('layer.tar', slot, 'latin1')
  image.writeUInt32LE(Math.ceil(options.tarSize / BLOCK_SIZE), slot + 64)
}

/** Two's complement for negative values (times before 1970). */
function writeUInt64(image: Buffer, value: number, at: number): void {
  image.writeUInt32LE(value >>> 0, at)
  image.writeUInt32LE(Math.floor(value / 2 ** 32) >>> 0, at + 4)
}

/** Every name's node, parents first; a node with several names comes up once per name. */
function* walk(root: LayerNode): Generator<LayerNode> {
  const stack = [root]
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    yield node
    if (node.children === undefined) continue
    for (const child of node.children.values()) stack.push(child)
  }
}
