import { EngineError } from '#base/errors.ts'
import { encodeBytes, type TarEntry } from '#oci/tar/entry.ts'
import { opaqueName } from '#oci/tar/whiteouts.ts'
import type { TarSource } from '#oci/tar/write-tar.ts'
import type { Described, Draft, DraftDirectory, DraftFile, MemberReader } from './draft.ts'
import { within } from './draft.ts'
import type { BelowFile, FilesBelow } from './files-below.ts'

type Time = TarEntry['mtime']

const EPOCH: Time = { seconds: 0, nanoseconds: 0 }

/**
 * The members of the layer's archive: a directory before what is in it, names in byte order, later names of a file as hard
 * links. Contents of archives come after all else, in the order in which they are there. What has no time of its own gets that
 * of the newest file of the layer, or else that of the directory it is made in: the same input always gives the same bytes.
 */
export async function* draftEntries(draft: Draft, below: FilesBelow): AsyncGenerator<TarSource> {
  const merged = mergedDirectories(draft.root)
  const known = merged.length === 0 ? new Map<string, BelowFile>() : await below.describe(merged)
  const writer = new EntryWriter(draft, known, below.at('')?.mtime ?? EPOCH)
  yield* writer.tree()
  yield* writer.archives()
  yield* writer.links()
}

interface Member {
  readonly path: string
  readonly file: DraftFile
  readonly time: Time
}

class EntryWriter {
  readonly #draft: Draft
  readonly #known: ReadonlyMap<string, BelowFile>
  readonly #around: Time
  readonly #written = new Map<DraftFile, string>()
  readonly #members = new Map<MemberReader, Map<number, Member>>()
  readonly #links: TarEntry[] = []

  /** `around`: when the root directory was changed. */
  constructor(draft: Draft, known: ReadonlyMap<string, BelowFile>, around: Time) {
    this.#draft = draft
    this.#known = known
    this.#around = around
  }

  *tree(): Generator<TarSource> {
    /** Still to be written, the next one last. */
    const left: { readonly name: string; readonly node: DraftDirectory | DraftFile; readonly in: Level }[] =
      []
    const enter = (directory: DraftDirectory, time: Time): void => {
      const level = { directory, time }
      for (const [name, node] of sorted(directory.children).toReversed()) left.push({ name, node, in: level })
    }
    enter(this.#draft.root, this.#around)
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { name, node, in: level } = next
      if (node.kind === 'file') {
        yield* this.#file(within(level.directory, name), node, level.time)
      } else if (node.touched) {
        const entry = this.#directory(node, level.time)
        yield { entry, data: [] }
        if (node.hides) yield { entry: marker(opaqueName(node.path), entry.mtime), data: [] }
        enter(node, entry.mtime)
      }
    }
  }

  /** Contents of members, each archive read once more. */
  async *archives(): AsyncGenerator<TarSource> {
    for (const [archive, members] of this.#members) {
      let number = 0
      for await (const data of archive.members()) {
        const member = members.get(number++)
        if (member === undefined) continue
        members.delete(number - 1)
        yield { entry: entryOf(member.path, member.file.type, member.file.attributes, member.time), data }
        if (members.size === 0) break
      }
      for (const { path } of members.values()) throw archiveChanged(path)
    }
  }

  *links(): Generator<TarSource> {
    for (const entry of this.#links) yield { entry, data: [] }
  }

  *#file(path: string, file: DraftFile, around: Time): Generator<TarSource> {
    const first = this.#written.get(file)
    const time = this.#timeOf(file.attributes, around)
    if (first !== undefined) {
      const { link: _link, ...attributes } = entryOf(path, file.type, file.attributes, time)
      const entry: TarEntry = { ...attributes, type: 'hardlink', link: first, size: 0 }
      if (isMember(file)) this.#links.push(entry)
      else yield { entry, data: [] }
      return
    }
    this.#written.set(file, path)
    if (isMember(file)) {
      const members = this.#members.get(file.content.archive) ?? new Map<number, Member>()
      members.set(file.content.member, { path, file, time })
      this.#members.set(file.content.archive, members)
      return
    }
    const entry = entryOf(path, file.type, file.attributes, time)
    yield { entry, data: 'read' in file.content ? file.content.read() : [] }
  }

  #directory(directory: DraftDirectory, around: Time): TarEntry {
    const { path, attributes } = directory
    if (attributes !== undefined) {
      return entryOf(path, 'directory', attributes, this.#timeOf(attributes, around))
    }
    const known = this.#known.get(path)
    if (known === undefined) throw new Error(`${path} is in no layer below`)
    return entryOf(path, 'directory', known, known.mtime)
  }

  #timeOf({ mtime }: Described, around: Time): Time {
    return mtime ?? this.#draft.newest ?? around
  }
}

interface Level {
  readonly directory: DraftDirectory
  /** When it was changed. */
  readonly time: Time
}

/** Content comes from the second reading; what has none needs no waiting. */
function isMember(
  file: DraftFile,
): file is DraftFile & { readonly content: { readonly archive: MemberReader; readonly member: number } } {
  return 'archive' in file.content && file.type === 'file' && file.attributes.size > 0
}

/** Those whose attributes only the layers below have. */
function mergedDirectories(root: DraftDirectory): readonly string[] {
  const paths: string[] = []
  const left = [root]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    for (const child of next.children.values()) {
      if (child.kind !== 'directory' || !child.touched) continue
      if (child.attributes === undefined) paths.push(child.path)
      left.push(child)
    }
  }
  return paths
}

function sorted(
  children: ReadonlyMap<string, DraftFile | DraftDirectory>,
): readonly (readonly [string, DraftFile | DraftDirectory])[] {
  const keyed = Array.from(children, ([name, node]) => ({ key: encodeBytes(name), name, node }))
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1))
  return keyed.map(({ name, node }) => [name, node] as const)
}

function entryOf(
  path: string,
  type: TarEntry['type'],
  { mode, uid, gid, size, link, major, minor, xattrs }: Omit<Described, 'mtime'>,
  mtime: Time,
): TarEntry {
  return {
    type,
    path,
    mode,
    uid,
    gid,
    mtime,
    size: type === 'file' ? size : 0,
    ...(link === undefined ? {} : { link }),
    ...(major === undefined ? {} : { major }),
    ...(minor === undefined ? {} : { minor }),
    ...(xattrs === undefined ? {} : { xattrs }),
  }
}

function marker(path: string, mtime: Time): TarEntry {
  return { type: 'file', path, mode: 0, uid: 0, gid: 0, mtime, size: 0 }
}

function archiveChanged(path: string): EngineError {
  return new EngineError('data_loss', `${path}: the archive it is from has changed while it was read`, {
    code: 'SOURCE_CHANGED',
    details: { path },
  })
}
