import { open, type FileHandle } from 'node:fs/promises'
import { EngineError } from '#base/errors.ts'
import { decodeBytes } from '#oci/tar/entry.ts'
import { invalidTar } from '#oci/tar/errors.ts'
import { limits } from '#oci/tar/limits.ts'
import type { LayerNode, LayerTree } from '#oci/tar/layer-tree.ts'
import type { TreeEntry, TreeRecord } from '#os/tree.ts'

/** A hard link into a lower layer, by the path there: the file to put in its place. */
export type LowerFile = (path: string) => Promise<TreeEntry>

/** Read ahead of the files to be unpacked. */
const WINDOW = 1 << 20

interface Named {
  readonly path: string
  readonly node: LayerNode
}

/**
 * The records that unpack `tree`, whose content lies in the tar file `tarPath`: directories first, then what has no
 * content, then files in the order of the archive, hard links last.
 */
export async function* layerRecords(
  tree: LayerTree,
  tarPath: string,
  lowerFile: LowerFile,
): AsyncGenerator<TreeEntry> {
  const named = namesOf(tree)
  for (const { path, node } of named.directories) yield entryOf(recordOf(node, path))
  for (const { path, node } of named.others) yield entryOf(recordOf(node, path))

  await using window = await Window.open(tarPath)
  let holes = 0
  for (const { path, node } of named.files) {
    for (const { length } of node.extents ?? []) holes -= length
    if (node.extents !== undefined) holes += node.size
    if (holes > limits.expandedHoles) throw invalidTar(path, 'sparse files that are too large when unpacked')
    yield { record: recordOf(node, path), data: contentOf(node, window) }
  }
  yield* lowerRecords(named.lower, lowerFile)
  for (const { path, node, first } of named.links) {
    yield entryOf({ ...recordOf(node, path), type: 'hardlink', link: first, size: 0 })
  }
}

async function* lowerRecords(lower: readonly Named[], lowerFile: LowerFile): AsyncGenerator<TreeEntry> {
  const copied = new Map<string, string>()
  for (const { path, node } of lower) {
    const target = decodeBytes(node.target)
    const first = copied.get(target)
    if (first !== undefined) {
      yield entryOf({ ...recordOf(node, path), type: 'hardlink', link: first })
      continue
    }
    const { record, data } = await lowerFile(target)
    if (record.type === 'directory') throw invalidTar(path, 'hard link to a directory')
    yield { record: { ...record, path }, data }
    copied.set(target, path)
  }
}

interface Names {
  readonly directories: Named[]
  readonly others: Named[]
  readonly files: Named[]
  readonly lower: Named[]
  readonly links: (Named & { readonly first: string })[]
}

function namesOf(tree: LayerTree): Names {
  const names: Names = { directories: [], others: [], files: [], lower: [], links: [] }
  const seen = new Map<LayerNode, string>()
  const stack: Named[] = [{ path: '', node: tree.root }]
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const { path, node } = at
    const first = seen.get(node)
    seen.set(node, first ?? path)
    if (first !== undefined) names.links.push({ path, node, first })
    else if (node.kind === 'directory') names.directories.push(at)
    else if (node.kind === 'lower-link') names.lower.push(at)
    else (node.kind === 'file' ? names.files : names.others).push(at)
    for (const [name, child] of node.children ?? []) {
      stack.push({ path: path === '' ? decodeBytes(name) : `${path}/${decodeBytes(name)}`, node: child })
    }
  }
  names.files.sort((a, b) => a.node.offset - b.node.offset)
  return names
}

function recordOf(node: LayerNode, path: string): TreeRecord {
  return {
    // A lower-link only gets here as the further name of a copied file.
    type: node.kind === 'lower-link' ? 'hardlink' : node.kind,
    path,
    mode: node.mode,
    uid: node.uid,
    gid: node.gid,
    mtime: { seconds: node.seconds, nanoseconds: node.nanoseconds },
    size: node.kind === 'file' ? node.size : 0,
    ...(node.kind === 'symlink' ? { link: decodeBytes(node.target) } : {}),
    ...(node.kind === 'char' || node.kind === 'block' ? { major: node.major, minor: node.minor } : {}),
    // overlayfs knows no opaque root; the layer's record says it instead.
    ...(node.opaque && path !== '' ? { opaque: true } : {}),
    ...(node.xattrs === undefined ? {} : { xattrs: node.xattrs }),
  }
}

function entryOf(record: TreeRecord): TreeEntry {
  return { record, data: nothing }
}

const nothing: AsyncIterable<Uint8Array> = {
  async *[Symbol.asyncIterator]() {
    // No content.
  },
}

async function* contentOf(node: LayerNode, window: Window): AsyncGenerator<Uint8Array> {
  let position = 0
  let from = node.offset
  for (const { offset, length } of node.extents ?? [{ offset: 0, length: node.size }]) {
    yield* zeros(offset - position)
    for (let left = length; left > 0;) {
      const bytes = await window.read(from, left)
      yield bytes
      from += bytes.length
      left -= bytes.length
    }
    position = offset + length
  }
  yield* zeros(node.size - position)
}

function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= WINDOW) yield Buffer.alloc(Math.min(left, WINDOW))
}

/** Sequential reads of small pieces at the price of large ones. */
class Window implements AsyncDisposable {
  readonly #file: FileHandle
  #buffer: Buffer = Buffer.alloc(0)
  #start = 0

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async open(path: string): Promise<Window> {
    return new Window(await open(path, 'r'))
  }

  /** Between one and `count` bytes at `position`. */
  async read(position: number, count: number): Promise<Uint8Array> {
    if (position < this.#start || position >= this.#start + this.#buffer.length) {
      // A fresh buffer: the pieces of the last one may still be on their way.
      const buffer = Buffer.allocUnsafeSlow(WINDOW)
      const { bytesRead } = await this.#file.read(buffer, 0, WINDOW, position)
      if (bytesRead === 0) {
        throw new EngineError('data_loss', 'a layer became shorter while it was unpacked', {
          code: 'LAYER_DAMAGED',
        })
      }
      this.#buffer = buffer.subarray(0, bytesRead)
      this.#start = position
    }
    const at = position - this.#start
    return this.#buffer.subarray(at, Math.min(at + count, this.#buffer.length))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }
}
