import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import type { TarMember } from '#oci/tar/entry.ts'
import { isErrno } from '#base/errors.ts'
import { type LayerNode, LayerTree } from '#oci/tar/layer-tree.ts'
import type { TarHandler } from '#oci/tar/parser.ts'

/** Builds the tree of an archive and hashes the content of its files on the way. */
export class ContentHashes implements TarHandler {
  readonly tree = new LayerTree()
  readonly digests = new Map<number, string>()
  #open: { readonly hash: Hash; readonly offset: number; left: number } | undefined

  entry(member: TarMember): void {
    this.tree.entry(member)
    if (member.type !== 'file') return
    this.#open = { hash: createHash('sha256'), offset: member.offset, left: member.stored }
    this.#close()
  }

  data(bytes: Uint8Array): void {
    if (this.#open === undefined) return
    this.#open.hash.update(bytes)
    this.#open.left -= bytes.length
    this.#close()
  }

  #close(): void {
    if (this.#open === undefined || this.#open.left > 0) return
    this.digests.set(this.#open.offset, this.#open.hash.digest('hex'))
    this.#open = undefined
  }
}

/** The first way in which the files below `directory` are not those of `tree`; undefined when there is none. */
export async function differenceOf(
  tree: LayerTree,
  digests: ReadonlyMap<number, string>,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const stack: { readonly node: LayerNode; readonly path: Buffer; readonly name: string }[] = [
    { node: tree.root, path: Buffer.from(directory), name: '/' },
  ]
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    signal?.throwIfAborted()
    const difference = await nodeDifference(at.node, digests, at.path)
    if (difference !== undefined) return `${at.name} ${difference}`
    for (const [name, child] of at.node.children ?? []) {
      // Names are bytes.
      const path = Buffer.concat([at.path, SLASH, Buffer.from(name, 'latin1')])
      stack.push({ node: child, path, name: `${at.name === '/' ? '' : at.name}/${name}` })
    }
  }
  return undefined
}

const SLASH = Buffer.from('/')

async function nodeDifference(
  node: LayerNode,
  digests: ReadonlyMap<number, string>,
  path: Buffer,
): Promise<string | undefined> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  })
  if (stats === undefined) return 'is missing'
  switch (node.kind) {
    case 'directory': {
      if (!stats.isDirectory()) return 'is no directory'
      const names = await readdir(path, { encoding: 'buffer' })
      const extra = names.find((name) => node.children?.has(name.toString('latin1')) !== true)
      return extra === undefined
        ? undefined
        : `has ${JSON.stringify(extra.toString())}, which the archive has not`
    }
    case 'file':
      if (!stats.isFile()) return 'is no file'
      if (stats.size !== node.size) return `has ${stats.size} bytes instead of ${node.size}`
      // Of a sparse file only the length is compared: the archive has it in pieces.
      if (node.extents !== undefined) return undefined
      return (await digestOf(path)) === digests.get(node.offset) ? undefined : 'has other content'
    case 'symlink':
      return stats.isSymbolicLink() ? undefined : 'is no symbolic link'
    case 'char':
    case 'whiteout':
      return stats.isCharacterDevice() ? undefined : 'is no character device'
    case 'block':
      return stats.isBlockDevice() ? undefined : 'is no block device'
    case 'fifo':
      return stats.isFIFO() ? undefined : 'is no fifo'
    case 'lower-link':
      return undefined
  }
}

async function digestOf(path: Buffer): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
