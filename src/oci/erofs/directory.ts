import type { LayerNode } from '../tar/layer-tree.ts'
import { BLOCK_SIZE, DIRENT_SIZE, DIRENT_TYPE } from './layout.ts'

/** A directory's entries, `.` and `..` included, in the order of their bytes, cut into blocks. */
export interface DirectoryPlan {
  readonly names: readonly string[]
  /** Index of the first name of each block. */
  readonly starts: readonly number[]
  /** Bytes used of the last block. */
  readonly tail: number
}

export function planDirectory(node: LayerNode): DirectoryPlan {
  // Names are byte strings: the default order of strings is the order of bytes.
  const names = ['.', '..', ...node.children!.keys()].sort()
  const starts = [0]
  let used = 0
  for (let i = 0; i < names.length; i++) {
    const size = DIRENT_SIZE + names[i]!.length
    if (used + size > BLOCK_SIZE) {
      starts.push(i)
      used = 0
    }
    used += size
  }
  return { names, starts, tail: used }
}

/** Writes block `block` of the plan at `at`; `nidOf` gives the inode number of a node. */
export function writeDirectoryBlock(
  image: Buffer,
  at: number,
  node: LayerNode,
  plan: DirectoryPlan,
  block: number,
  nidOf: (node: LayerNode) => number,
): void {
  const first = plan.starts[block]!
  const end = plan.starts[block + 1] ?? plan.names.length
  let nameAt = (end - first) * DIRENT_SIZE
  for (let i = first; i < end; i++) {
    const name = plan.names[i]!
    const child = name === '.' ? node : name === '..' ? node.parent! : node.children!.get(name)!
    const dirent = at + (i - first) * DIRENT_SIZE
    image.writeUInt32LE(nidOf(child), dirent)
    image.writeUInt16LE(nameAt, dirent + 8)
    image[dirent + 10] = direntType(child)
    image.write(name, at + nameAt, 'latin1')
    nameAt += name.length
  }
}

function direntType(node: LayerNode): number {
  if (node.kind === 'lower-link') throw new TypeError('EROFS cannot express a link into another layer')
  return DIRENT_TYPE[node.kind]
}
