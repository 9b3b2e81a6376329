import type { Extent, TarMember } from './entry.ts'
import { invalidTar } from './errors.ts'
import { limits } from './limits.ts'
import { checkComponent, cleanName } from './names.ts'
import type { TarHandler } from './parser.ts'
import { isReserved, parseWhiteout, type Whiteout } from './whiteouts.ts'

/** One file of a layer. Hard links are one node under several names. Names are byte strings. */
export interface LayerNode {
  /** `lower-link`: a hard link to a file that only a lower layer has. */
  kind: 'directory' | 'file' | 'symlink' | 'char' | 'block' | 'fifo' | 'whiteout' | 'lower-link'
  mode: number
  uid: number
  gid: number
  seconds: number
  nanoseconds: number
  size: number
  /** Where the content begins in the archive. */
  offset: number
  extents: readonly Extent[] | undefined
  /** Of a symlink, as it is; of a lower-link, the cleaned path. */
  target: string
  major: number
  minor: number
  xattrs: ReadonlyMap<string, Uint8Array> | undefined
  /** A directory that hides what lower layers have in it. */
  opaque: boolean
  children: Map<string, LayerNode> | undefined
  /** Of a directory; the root is its own parent. */
  parent: LayerNode | undefined
}

/** Components looked at for one name, symlinks included: far above what real archives need. */
const MAX_STEPS = 8192
const MAX_SYMLINKS = 40

const none: Whiteout = { kind: 'none' }

/**
 * What a layer archive amounts to once all of it has been applied to an empty directory.
 *
 * - A later member replaces an earlier one; a directory over a directory takes its metadata and keeps its content.
 * - Missing parents are made, 0755 and owned by root.
 * - A symlink among the parents of a name is followed inside the layer; it cannot lead out of it.
 * - A whiteout hides only lower layers, whichever comes first: of a directory that the layer has too, it makes
 *   that directory opaque; of a file, it changes nothing.
 * - Extended attributes that have no meaning on Linux, or that would steer overlayfs, are left out.
 *
 * Nothing here touches a file system: `..`, absolute names and symlinks are resolved in this tree alone.
 */
export class LayerTree implements TarHandler {
  readonly root: LayerNode
  /** False when no member describes the root directory itself. */
  rootGiven = false
  nodes = 1
  members = 0
  /** Hard links to files of lower layers. */
  lowerLinks = 0
  readonly #plain: boolean
  #lastPath: string | undefined
  #lastParent: LayerNode

  /** `plain`: an archive of files alone, without anything below it; whiteouts are files as any other. */
  constructor({ plain = false }: { readonly plain?: boolean } = {}) {
    this.#plain = plain
    this.root = directoryNode(undefined)
    this.root.parent = this.root
    this.#lastParent = this.root
  }

  entry(member: TarMember): void {
    this.members++
    const path = cleanName(member.path)
    if (path === '') return this.#setRoot(member)

    const slash = path.lastIndexOf('/')
    const base = path.slice(slash + 1)
    checkComponent(base, path)
    const whiteout = this.#plain ? none : parseWhiteout(base)
    switch (whiteout.kind) {
      case 'none':
        return this.#put(this.#parentOf(path, slash), base, path, member)
      case 'whiteout':
        return this.#hide(this.#parentOf(path, slash), whiteout.name, path)
      case 'opaque':
        this.#parentOf(path, slash).opaque = true
        return
      case 'meta':
        return
      case 'invalid':
        throw invalidTar(member.path, 'whiteout of nothing')
    }
  }

  #setRoot(member: TarMember): void {
    if (member.type !== 'directory') throw invalidTar(member.path, 'the root is not a directory')
    describe(this.root, member)
    this.rootGiven = true
  }

  #put(parent: LayerNode, base: string, path: string, member: TarMember): void {
    const children = parent.children!
    const before = children.get(base)
    if (member.type === 'directory') {
      if (before?.kind === 'directory') return describe(before, member)
      const made = this.#count(directoryNode(parent), path)
      made.opaque = before?.kind === 'whiteout'
      describe(made, member)
      this.#replace(children, base, made, before)
      return
    }
    this.#replace(children, base, this.#leaf(member, path), before)
  }

  #leaf(member: TarMember, path: string): LayerNode {
    if (member.type === 'hardlink') return this.#linked(member, path)
    const node = this.#count(leafNode(member), path)
    // Such a device is a whiteout to overlayfs, whatever it was meant to be.
    const isWhiteout = node.kind === 'char' && node.major === 0 && node.minor === 0
    if (isWhiteout && !this.#plain) node.kind = 'whiteout'
    return node
  }

  #linked(member: TarMember, path: string): LayerNode {
    const target = cleanName(member.link, path)
    if (target === '') throw invalidTar(path, 'hard link to the root')
    const slash = target.lastIndexOf('/')
    const parent = this.#walk(target.slice(0, Math.max(slash, 0)), path, false)
    const node = parent?.children!.get(target.slice(slash + 1))
    if (node === undefined || node.kind === 'whiteout') {
      if (this.#plain) throw invalidTar(path, 'hard link to a file that is not there')
      this.lowerLinks++
      const link = this.#count(leafNode(member), path)
      link.kind = 'lower-link'
      link.target = target
      return link
    }
    if (node.kind === 'directory') throw invalidTar(path, 'hard link to a directory')
    return node
  }

  #hide(parent: LayerNode, name: string, path: string): void {
    const children = parent.children!
    const before = children.get(name)
    if (before === undefined) children.set(name, this.#count(whiteoutNode(), path))
    else if (before.kind === 'directory') before.opaque = true
  }

  #replace(
    children: Map<string, LayerNode>,
    base: string,
    node: LayerNode,
    before: LayerNode | undefined,
  ): void {
    // What has been looked up may have gone through the node that is replaced.
    if (before?.kind === 'directory' || before?.kind === 'symlink') this.#lastPath = undefined
    children.set(base, node)
  }

  #parentOf(path: string, slash: number): LayerNode {
    const parent = slash < 0 ? '' : path.slice(0, slash)
    if (parent !== this.#lastPath) {
      this.#lastParent = this.#walk(parent, path, true)!
      this.#lastPath = parent
    }
    return this.#lastParent
  }

  /** The directory at `path`, through symlinks; made when missing if `create`, else undefined. */
  #walk(path: string, member: string, create: boolean): LayerNode | undefined {
    if (path === '') return this.root
    let at = this.root
    let symlinks = 0
    // The components still to be walked, the next one last.
    const left = path.split('/').reverse()
    for (let steps = 0; left.length > 0; steps++) {
      if (steps > MAX_STEPS) throw invalidTar(member, 'too many symbolic links on the way')
      const component = left.pop()!
      if (component === '' || component === '.') continue
      if (component === '..') {
        at = at.parent!
        continue
      }
      const child = at.children!.get(component)
      if (child?.kind === 'symlink') {
        if (++symlinks > MAX_SYMLINKS) throw invalidTar(member, 'too many symbolic links on the way')
        if (child.target.startsWith('/')) at = this.root
        for (const part of child.target.split('/').reverse()) left.push(part)
      } else if (child?.kind === 'directory') {
        at = child
      } else if (!create) {
        return undefined
      } else {
        at = this.#implied(at, component, child, member)
      }
    }
    return at
  }

  #implied(parent: LayerNode, name: string, before: LayerNode | undefined, member: string): LayerNode {
    if (before !== undefined && before.kind !== 'whiteout') {
      throw invalidTar(member, 'something on the way is not a directory')
    }
    checkComponent(name, member)
    if (!this.#plain && isReserved(name)) throw invalidTar(member, `${name} is not a name for a directory`)
    const made = this.#count(directoryNode(parent), member)
    made.opaque = before !== undefined
    parent.children!.set(name, made)
    return made
  }

  #count(node: LayerNode, member: string): LayerNode {
    if (++this.nodes > limits.nodes) throw invalidTar(member, `more than ${limits.nodes} files`)
    return node
  }
}

function describe(node: LayerNode, member: TarMember): void {
  node.mode = member.mode
  node.uid = member.uid
  node.gid = member.gid
  node.seconds = member.seconds
  node.nanoseconds = member.nanoseconds
  node.xattrs = keptXattrs(member)
}

function directoryNode(parent: LayerNode | undefined): LayerNode {
  return { ...whiteoutNode(), kind: 'directory', mode: 0o755, children: new Map(), parent }
}

function whiteoutNode(): LayerNode {
  return {
    kind: 'whiteout',
    mode: 0,
    uid: 0,
    gid: 0,
    seconds: 0,
    nanoseconds: 0,
    size: 0,
    offset: 0,
    extents: undefined,
    target: '',
    major: 0,
    minor: 0,
    xattrs: undefined,
    opaque: false,
    children: undefined,
    parent: undefined,
  }
}

function leafNode(member: TarMember): LayerNode {
  const kind = member.type === 'hardlink' || member.type === 'directory' ? 'lower-link' : member.type
  if (kind === 'symlink' && (member.link.length > limits.path || member.link.includes('\0'))) {
    throw invalidTar(member.path, 'symbolic link with an impossible target')
  }
  return {
    kind,
    mode: kind === 'symlink' ? 0o777 : member.mode,
    uid: member.uid,
    gid: member.gid,
    seconds: member.seconds,
    nanoseconds: member.nanoseconds,
    size: member.size,
    offset: member.offset,
    extents: member.extents,
    target: kind === 'symlink' ? member.link : '',
    major: member.major,
    minor: member.minor,
    xattrs: keptXattrs(member),
    opaque: false,
    children: undefined,
    parent: undefined,
  }
}

function keptXattrs(member: TarMember): ReadonlyMap<string, Uint8Array> | undefined {
  if (member.xattrs === undefined) return undefined
  const takesUser = member.type === 'file' || member.type === 'directory'
  const kept = [...member.xattrs].filter(([name]) => isKept(name, takesUser))
  return kept.length === 0 ? undefined : new Map(kept)
}

/** xattr(7): only files and directories have `user.`; `trusted.overlay.` is ours to set, never an image's. */
function isKept(name: string, takesUser: boolean): boolean {
  if (name.startsWith('user.')) return takesUser
  if (name.startsWith('trusted.')) return !name.startsWith('trusted.overlay.')
  return (
    name.startsWith('security.') || name === 'system.posix_acl_access' || name === 'system.posix_acl_default'
  )
}
