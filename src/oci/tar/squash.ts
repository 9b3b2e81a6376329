import type { TarEntry } from './entry.ts'
import { readTar } from './read-tar.ts'
import { opaqueName, parseWhiteout, whiteoutName } from './whiteouts.ts'
import type { TarSource } from './write-tar.ts'

/** A layer that can be read more than once. */
export type ReadLayer = () => AsyncIterable<Uint8Array>

/** A regular file, perhaps under several names. */
interface Content {
  readonly layer: number
  /** As the layer has it. */
  readonly path: string
}

interface Node {
  /** Undefined for a directory that is only on the way. */
  entry: TarEntry | undefined
  content: Content | undefined
  whiteout: boolean
  opaque: boolean
  readonly children: Map<string, Node>
}

/**
 * Members of one layer that does what `layers` (bottom first) do, one after the other (layer.md "Applying Changesets"). Each layer
 * is read twice. They are to be well-formed, as layers are that builds have made: parents before children, no name twice.
 */
export async function* squashLayers(layers: readonly ReadLayer[]): AsyncGenerator<TarSource> {
  const root = emptyNode()
  for (const [at, layer] of layers.entries()) await apply(root, at, layer)
  const names = new Map<Content, string>()
  const links: TarSource[] = []
  for (const [path, { entry, content, whiteout, opaque }] of walk(root, '')) {
    if (whiteout) yield { entry: marker(whiteoutName(path)), data: [] }
    const first = content === undefined ? undefined : names.get(content)
    if (content !== undefined && first === undefined) names.set(content, path)
    else if (entry !== undefined && first !== undefined)
      links.push({ entry: { ...entry, type: 'hardlink', size: 0, path, link: first }, data: [] })
    else if (entry !== undefined) yield { entry, data: [] }
    if (opaque) yield { entry: marker(opaqueName(path)), data: [] }
  }
  for (const [at, layer] of layers.entries()) yield* contentsOf(layer, namesIn(at, names))
  yield* links
}

/** Names that the files of one layer have in the end, by those they have in it. */
function namesIn(layer: number, names: ReadonlyMap<Content, string>): ReadonlyMap<string, string> {
  return new Map(
    [...names].flatMap(([content, name]) => (content.layer === layer ? [[content.path, name]] : [])),
  )
}

async function* contentsOf(layer: ReadLayer, names: ReadonlyMap<string, string>): AsyncGenerator<TarSource> {
  if (names.size === 0) return
  for await (const { entry, data } of readTar(layer())) {
    const path = entry.type === 'file' ? names.get(entry.path) : undefined
    if (path !== undefined) yield { entry: { ...entry, path }, data }
  }
}

async function apply(root: Node, layer: number, read: ReadLayer): Promise<void> {
  const entries: TarEntry[] = []
  // What a layer hides is what is below it, wherever in the layer that is said.
  for await (const { entry } of readTar(read())) {
    const slash = entry.path.lastIndexOf('/')
    const whiteout = parseWhiteout(entry.path.slice(slash + 1))
    const parent = entry.path.slice(0, Math.max(slash, 0))
    if (whiteout.kind === 'none') entries.push(entry)
    else if (whiteout.kind === 'opaque') hideAll(nodeAt(root, parent))
    else if (whiteout.kind === 'whiteout') hide(nodeAt(root, parent), whiteout.name)
  }
  for (const entry of entries) put(root, layer, entry)
}

function hideAll(directory: Node): void {
  directory.children.clear()
  directory.opaque = true
}

function hide(directory: Node, name: string): void {
  directory.children.set(name, { ...emptyNode(), whiteout: true })
}

function put(root: Node, layer: number, entry: TarEntry): void {
  if (entry.path === '') {
    root.entry = entry
    return
  }
  const slash = entry.path.lastIndexOf('/')
  const parent = nodeAt(root, entry.path.slice(0, Math.max(slash, 0)))
  const name = entry.path.slice(slash + 1)
  const before = parent.children.get(name)
  if (entry.type === 'directory' && before !== undefined && isDirectory(before)) {
    before.entry = entry
    return
  }
  const linked = entry.type === 'hardlink' ? findNode(root, entry.link ?? '') : undefined
  const node = emptyNode()
  node.entry = linked?.entry === undefined ? entry : { ...linked.entry, path: entry.path }
  node.content = entry.type === 'file' ? { layer, path: entry.path } : linked?.content
  // A new directory where something was shows nothing of what was there.
  node.opaque = entry.type === 'directory' && before !== undefined
  parent.children.set(name, node)
}

function isDirectory({ entry, whiteout }: Node): boolean {
  return !whiteout && (entry === undefined || entry.type === 'directory')
}

/** The node at a path; directories on the way are there afterwards. */
function nodeAt(root: Node, path: string): Node {
  let at = root
  for (const name of path === '' ? [] : path.split('/')) {
    let next = at.children.get(name)
    if (next === undefined || !isDirectory(next)) {
      next = { ...emptyNode(), opaque: next !== undefined }
      at.children.set(name, next)
    }
    at = next
  }
  return at
}

function findNode(root: Node, path: string): Node | undefined {
  let at: Node | undefined = root
  for (const name of path.split('/')) at = at?.children.get(name)
  return at
}

/** Names in order, parents first. */
function* walk(node: Node, path: string): Generator<readonly [string, Node]> {
  yield [path, node]
  for (const name of [...node.children.keys()].toSorted()) {
    const child = node.children.get(name)
    if (child !== undefined) yield* walk(child, path === '' ? name : `${path}/${name}`)
  }
}

function emptyNode(): Node {
  return { entry: undefined, content: undefined, whiteout: false, opaque: false, children: new Map() }
}

function marker(path: string): TarEntry {
  return { type: 'file', path, mode: 0, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, size: 0 }
}
