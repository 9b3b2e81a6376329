import { encodeBytes, type TarEntry } from '#oci/tar/entry.ts'
import { opaqueName } from '#oci/tar/whiteouts.ts'
import type { TarSource } from '#oci/tar/write-tar.ts'
import type { Described, Draft, DraftDirectory, DraftFile } from './draft.ts'
import { within } from './draft.ts'
import type { BelowFile, FilesBelow } from './files-below.ts'

type Time = TarEntry['mtime']

/** 1980-01-02 in UTC: older times than 1980, anywhere on earth, are too old for ZIP archives, hence for many programs. */
const EARLIEST: Time = { seconds: 315_619_200, nanoseconds: 0 }

/**
 * The members of the layer's archive: a directory before what is in it, names in byte order, later names of a file as hard
 * links. What has no time of its own gets that of the newest file of the layer, or else that of the directory it is made in,
 * but none before 1980: the same input always gives the same bytes.
 */
export async function* draftEntries(draft: Draft, below: FilesBelow): AsyncGenerator<TarSource> {
  const merged = mergedDirectories(draft.root)
  const known = merged.length === 0 ? new Map<string, BelowFile>() : await below.describe(merged)
  yield* new EntryWriter(draft, known, below.at('')?.mtime ?? EARLIEST).entries()
}

class EntryWriter {
  readonly #draft: Draft
  readonly #known: ReadonlyMap<string, BelowFile>
  readonly #around: Time
  readonly #written = new Map<DraftFile, string>()

  /** `around`: when the root directory was changed. */
  constructor(draft: Draft, known: ReadonlyMap<string, BelowFile>, around: Time) {
    this.#draft = draft
    this.#known = known
    this.#around = around
  }

  *entries(): Generator<TarSource> {
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
        yield this.#file(within(level.directory, name), node, level.time)
      } else if (node.touched) {
        const entry = this.#directory(node, level.time)
        yield { entry, data: [] }
        if (node.hides) yield { entry: marker(opaqueName(node.path), entry.mtime), data: [] }
        enter(node, entry.mtime)
      }
    }
  }

  #file(path: string, file: DraftFile, around: Time): TarSource {
    const entry = entryOf(path, file.type, file.attributes, this.#timeOf(file.attributes, around))
    const first = this.#written.get(file)
    if (first !== undefined) return { entry: { ...entry, type: 'hardlink', link: first, size: 0 }, data: [] }
    this.#written.set(file, path)
    return { entry, data: file.type === 'file' ? file.read() : [] }
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
    if (mtime !== undefined) return mtime
    const time = this.#draft.newest ?? around
    return time.seconds < EARLIEST.seconds ? EARLIEST : time
  }
}

interface Level {
  readonly directory: DraftDirectory
  /** When it was changed. */
  readonly time: Time
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
