import { createHash } from 'node:crypto'
import { type Digest, digestFrom } from '#base/digest.ts'
import { decodeBytes, encodeBytes } from '#oci/tar/entry.ts'
import type { LayerNode, LayerTree } from '#oci/tar/layer-tree.ts'
import type { TreeRoot } from '#os/tree.ts'
import type { FileSource, MountableRoot, SourceFile, WalkOptions } from './file-source.ts'
import { NOTHING, nothing } from './nothing.ts'
import { resolveInside } from './resolve-inside.ts'
import type { SourceCopies } from './source-copies.ts'
import { Turns } from './turns.ts'

export interface TreeSourceOptions {
  readonly name: string
  /** Plain: whiteouts are files as any other. */
  readonly tree: LayerTree
  readonly contents: TreeContents
  readonly copies: SourceCopies
}

/** Contents of the files of a tree; disposed with its source. */
export interface TreeContents extends AsyncDisposable {
  read(node: LayerNode): AsyncIterable<Uint8Array>
  /** Where it is known without reading. */
  digest?(node: LayerNode): Digest | undefined
}

/** Files of a tree that is in memory, and their contents somewhere else. Everything belongs to root. */
export class TreeSource implements FileSource {
  readonly name: string
  readonly #options: TreeSourceOptions
  readonly #digests = new Map<LayerNode, Promise<Digest>>()
  readonly #held = new AsyncDisposableStack()
  #root: Promise<TreeRoot & MountableRoot> | undefined

  constructor(options: TreeSourceOptions) {
    this.name = options.name
    this.#options = options
    this.#held.use(options.contents)
  }

  async *walk(path: string, options: WalkOptions = {}): AsyncGenerator<SourceFile> {
    const start = this.#node(path)
    if (start === undefined) return
    const turns = new Turns()
    const names = new Map<LayerNode, string>()
    const stack: (readonly [path: string, node: LayerNode])[] = [[encodeBytes(path), start]]
    for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
      options.signal?.throwIfAborted()
      await turns.next()
      const [at, node] = entry
      const file = this.#file(decodeBytes(at), node, names)
      yield file
      if (node.children === undefined || options.descend?.(file.attributes.path) === false) continue
      // Each character is a byte, so this is the order of bytes; the first comes last, on top of the stack.
      const children = [...node.children].sort(([a], [b]) => (a < b ? 1 : -1))
      for (const [name, child] of children) stack.push([at === '' ? name : `${at}/${name}`, child])
    }
  }

  async find(path: string): Promise<SourceFile | undefined> {
    return resolveInside(path, async (at) => {
      const node = this.#node(at)
      return node && this.#file(at, node)
    })
  }

  root(): Promise<TreeRoot & MountableRoot> {
    this.#root ??= this.#copied()
    return this.#root
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }

  async #copied(): Promise<TreeRoot & MountableRoot> {
    const { path } = this.#held.use(await this.#options.copies.copy(this))
    return { directory: path, path }
  }

  /** What is at the path, symlinks as they are. */
  #node(path: string): LayerNode | undefined {
    let node: LayerNode | undefined = this.#options.tree.root
    for (const name of path === '' ? [] : encodeBytes(path).split('/')) node = node?.children?.get(name)
    return node
  }

  #file(path: string, node: LayerNode, names?: Map<LayerNode, string>): SourceFile {
    const { contents } = this.#options
    const first = node.kind === 'file' ? names?.get(node) : undefined
    const attributes = attributesOf(path, node)
    if (first !== undefined) {
      const link = { ...attributes, type: 'hardlink', link: first, size: 0 } as const
      return { attributes: link, digest: async () => NOTHING, read: nothing }
    }
    if (node.kind !== 'file') return { attributes, digest: async () => NOTHING, read: nothing }
    names?.set(node, path)
    return { attributes, digest: (signal) => this.#digest(node, signal), read: () => contents.read(node) }
  }

  async #digest(node: LayerNode, signal: AbortSignal | undefined): Promise<Digest> {
    const known = this.#digests.get(node) ?? this.#digested(node, signal)
    this.#digests.set(node, known)
    try {
      return await known
    } catch (error) {
      // Whoever asks next may have more patience.
      this.#digests.delete(node)
      throw error
    }
  }

  async #digested(node: LayerNode, signal: AbortSignal | undefined): Promise<Digest> {
    const { contents } = this.#options
    const known = contents.digest?.(node)
    if (known !== undefined) return known
    const hash = createHash('sha256')
    for await (const chunk of contents.read(node)) {
      signal?.throwIfAborted()
      hash.update(chunk)
    }
    return digestFrom(hash)
  }
}

function attributesOf(path: string, node: LayerNode): SourceFile['attributes'] {
  const { kind, mode, seconds, nanoseconds, size, target, major, minor, xattrs } = node
  // A plain tree has neither.
  if (kind === 'whiteout' || kind === 'lower-link') throw new Error(`${path} is a ${kind}`)
  return {
    path,
    type: kind,
    mode,
    uid: 0,
    gid: 0,
    mtime: { seconds, nanoseconds },
    size: kind === 'file' ? size : 0,
    ...(kind === 'symlink' ? { link: decodeBytes(target) } : {}),
    ...(kind === 'char' || kind === 'block' ? { major, minor } : {}),
    ...(xattrs === undefined
      ? {}
      : { xattrs: new Map([...xattrs].map(([name, value]) => [decodeBytes(name), value])) }),
  }
}
