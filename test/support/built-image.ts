/** An image as `docker save` and `berth save` write it, and what its layers do: for comparing what two builders have made. */
import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { digestOf } from '#base/digest.ts'
import type { History, ImageConfig } from '#oci/image-spec.ts'
import type { TarEntry } from '#oci/tar/entry.ts'
import { readTar } from '#oci/tar/read-tar.ts'

export interface BuiltImage {
  /** Without layers, history and times of the test itself. */
  readonly config: Readonly<Record<string, unknown>>
  /** Without times of the test itself; an entry whose layer does nothing counts as one without a layer. */
  readonly history: readonly History[]
  /** Those that do anything, bottom first. */
  readonly layers: readonly LayerEffect[]
  /** All files in the end, by path. */
  readonly tree: ReadonlyMap<string, string>
}

/** What a layer does to the tree below it. */
export interface LayerEffect {
  /** What is new or another: path to description. */
  readonly changed: ReadonlyMap<string, string>
  readonly removed: ReadonlySet<string>
  /** Of everything in it but directories: a layer should not hold more than it has to. */
  readonly files: readonly string[]
}

/** Reads the only image of an archive. */
export async function readBuiltImage(archive: string): Promise<BuiltImage> {
  const members = new Map<string, Buffer>()
  for await (const { entry, data } of readTar(createReadStream(archive))) {
    const content = await buffer(Readable.from(data))
    if (entry.type === 'file') members.set(entry.path, content)
  }
  // Docker's older form has symlinks from one layer to an equal one; today's names blobs by digest.
  const json = <T>(path: string): T => JSON.parse(members.get(path)?.toString() ?? 'null') as T
  const [manifest] = json<{ Config: string; Layers: string[] }[]>('manifest.json')
  if (manifest === undefined) throw new Error(`${archive} has no manifest.json`)
  const { history, rootfs, created, ...config } = json<ImageConfig>(manifest.Config)
  const effects: LayerEffect[] = []
  let tree: Tree = new Map()
  for (const path of manifest.Layers) {
    const bytes = members.get(path)
    if (bytes === undefined) throw new Error(`${archive} has no ${path}`)
    const entries = await entriesOf(bytes)
    const next = applied(tree, entries)
    effects.push(effectOf(tree, next, entries))
    tree = next
  }
  if (effects.length !== rootfs.diff_ids.length) throw new Error(`${archive}: layers are missing`)
  const idle = effects.map(({ changed, removed, files }) => changed.size + removed.size + files.length === 0)
  return {
    config: { ...config, ...oldTime(created) },
    history: normalized(history ?? [], idle),
    layers: effects.filter((_, i) => idle[i] !== true),
    tree: describeAll(tree),
  }
}

interface Node {
  readonly entry: TarEntry
  /** As text when it is short, otherwise its digest. */
  readonly content: string
}

/** Names of one file lead to one node. */
type Tree = ReadonlyMap<string, Node>

async function entriesOf(layer: Buffer): Promise<readonly Node[]> {
  const nodes: Node[] = []
  for await (const { entry, data } of readTar(Readable.from([layer]))) {
    nodes.push({ entry, content: contentOf(await buffer(Readable.from(data))) })
  }
  return nodes
}

function contentOf(bytes: Buffer): string {
  const text = JSON.stringify(bytes.toString())
  return text.length <= 1000 && isUtf8(bytes) ? text : digestOf(bytes).slice(0, 19)
}

/** The tree after a layer, by the rules of the image-spec (layer.md). */
function applied(below: Tree, entries: readonly Node[]): Tree {
  const tree = new Map(below)
  for (const { entry } of entries) {
    const name = posix.basename(entry.path)
    if (!name.startsWith('.wh.')) continue
    const parent = posix.dirname(entry.path)
    if (name === '.wh..wh..opq') removeBelow(tree, parent === '.' ? '' : parent)
    else removeAll(tree, posix.join(parent, name.slice(4)))
  }
  for (const node of entries) {
    const { path, type, link = '' } = node.entry
    if (posix.basename(path).startsWith('.wh.')) continue
    if (type !== 'directory' || tree.get(path)?.entry.type !== 'directory') removeAll(tree, path)
    if (type !== 'hardlink') tree.set(path, node)
    else tree.set(path, tree.get(link) ?? node)
  }
  return tree
}

function removeAll(tree: Map<string, Node>, path: string): void {
  tree.delete(path)
  removeBelow(tree, path)
}

function removeBelow(tree: Map<string, Node>, path: string): void {
  const prefix = path === '' ? '' : `${path}/`
  for (const each of tree.keys()) if (each !== '' && each.startsWith(prefix)) tree.delete(each)
}

function effectOf(before: Tree, after: Tree, entries: readonly Node[]): LayerEffect {
  const [was, is] = [describeAll(before), describeAll(after)]
  return {
    changed: new Map([...is].filter(([path, text]) => was.get(path) !== text)),
    removed: new Set([...was.keys()].filter((path) => !is.has(path))),
    files: entries
      .filter(({ entry }) => entry.type !== 'directory' && !posix.basename(entry.path).startsWith('.wh.'))
      .map(({ entry }) => entry.path)
      .toSorted(),
  }
}

/** Type, mode, owner, content, extended attributes and other names of each file; times that were set on purpose. */
function describeAll(tree: Tree): ReadonlyMap<string, string> {
  const names = new Map<Node, string[]>()
  for (const [path, node] of tree) names.set(node, [...(names.get(node) ?? []), path])
  return new Map(
    Array.from(tree, ([path, node]) => [path, describeNode(node, (names.get(node) ?? []).toSorted())]),
  )
}

function describeNode({ entry, content }: Node, names: readonly string[]): string {
  const { type, mode, uid, gid, size, link, major, minor, xattrs, mtime } = entry
  const words: string[] = [type, mode.toString(8).padStart(4, '0'), `${uid}:${gid}`]
  if (type === 'file') words.push(`${size} ${content}`)
  if (type === 'symlink') words.push(`-> ${link ?? ''}`)
  if (type === 'char' || type === 'block') words.push(`${major ?? 0},${minor ?? 0}`)
  if (type === 'file' && mtime.seconds < LONG_AGO) words.push(`of ${mtime.seconds}`)
  for (const [name, value] of xattrs ?? []) words.push(`${name}=${Buffer.from(value).toString('hex')}`)
  if (names.length > 1) words.push(`names ${names.join(' ')}`)
  return words.join(' ')
}

function normalized(history: readonly History[], idle: readonly boolean[]): readonly History[] {
  let layer = 0
  return history.map(({ created, empty_layer: empty = false, ...entry }) => {
    const nothing = empty === true || idle[layer] === true
    if (empty !== true) layer++
    return { ...entry, ...oldTime(created), empty_layer: nothing }
  })
}

/** Seconds; what is younger was made by the test. */
const LONG_AGO = Date.parse('2025-01-01T00:00:00Z') / 1000

function oldTime(created: string | null | undefined): { readonly created?: string } {
  return created && Date.parse(created) / 1000 < LONG_AGO ? { created } : {}
}

/** Each difference in a line: what it is about, and what the two have. */
export function differencesOf(ours: BuiltImage, theirs: BuiltImage): readonly string[] {
  const found: string[] = []
  const fields = new Set([...Object.keys(ours.config), ...Object.keys(theirs.config)])
  for (const field of fields) compare(found, field, ours.config[field], theirs.config[field])
  const entries = Math.max(ours.history.length, theirs.history.length)
  for (let i = 0; i < entries; i++) compare(found, `history ${i}`, ours.history[i], theirs.history[i])
  compare(found, 'number of layers', ours.layers.length, theirs.layers.length)
  if (ours.layers.length === theirs.layers.length)
    ours.layers.forEach((layer, i) => compareLayers(found, `layer ${i}`, layer, theirs.layers[i] ?? layer))
  compareMaps(found, 'tree', ours.tree, theirs.tree)
  return found
}

function compareLayers(found: string[], title: string, ours: LayerEffect, theirs: LayerEffect): void {
  compareMaps(found, title, ours.changed, theirs.changed)
  compare(found, `${title} removes`, [...ours.removed].toSorted(), [...theirs.removed].toSorted())
  compare(found, `${title} holds`, ours.files, theirs.files)
}

function compareMaps(
  found: string[],
  title: string,
  ours: ReadonlyMap<string, string>,
  theirs: ReadonlyMap<string, string>,
): void {
  const paths = [...new Set([...ours.keys(), ...theirs.keys()])].toSorted()
  for (const path of paths) compare(found, `${title} /${path}`, ours.get(path), theirs.get(path))
}

function compare(found: string[], what: string, ours: unknown, theirs: unknown): void {
  const [a, b] = [shown(ours), shown(theirs)]
  if (a !== b) found.push(`${what}: ${a}, BuildKit: ${b}`)
}

/** Keys in order, so that equal documents are equal texts. */
function shown(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === undefined) return 'nothing'
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member
    return Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
}
