import { join } from 'node:path'
import { isKind } from '#base/errors.ts'
import { Expansion } from '#oci/expansion.ts'
import { encodeBytes, type TarEntry, type TarMember } from '#oci/tar/entry.ts'
import { invalidTar } from '#oci/tar/errors.ts'
import { limits } from '#oci/tar/limits.ts'
import { TarParser } from '#oci/tar/parser.ts'
import { entryOf } from '#oci/tar/read-tar.ts'
import { decompressAny } from '../sources/decompress-any.ts'
import type { SourceFile } from '../sources/file-source.ts'
import type { SpoolDirectory } from '../sources/source-copies.ts'
import { SpoolFile, writeSpool } from '../sources/spool-file.ts'
import { Turns } from '../sources/turns.ts'
import { describe, madeDirectory, type Marks } from './attributes.ts'
import type { Draft, DraftDirectory, DraftFile } from './draft.ts'
import type { FilesBelow } from './files-below.ts'
import { baseName, parentOf } from './source-patterns.ts'

/** In so many bytes of a tar there is a member, if it is one. */
const HEAD = 4 << 20

/** Whether the file is a tar, compressed or not, of at least one member: its content says so, not its name. */
export async function isArchive(file: SourceFile, signal: AbortSignal): Promise<boolean> {
  let found = false
  const parser = new TarParser({ entry: () => (found = true) })
  let read = 0
  try {
    for await (const chunk of decompressAny(file.read(), { signal })) {
      // A megabyte of what a context has may come at once, and its first block says all.
      for (let at = 0; at < chunk.length && !found; at += 512) parser.push(chunk.subarray(at, at + 512))
      read += chunk.length
      if (found || read >= HEAD) return found
    }
  } catch (error) {
    if (!isKind(error, 'invalid_argument')) throw error
  }
  return found
}

/** Where archives lie, uncompressed, while a step is done. */
export interface ArchiveSpool {
  take(): Promise<SpoolDirectory>
}

/** An archive that ADD unpacks. Its contents can be read until it is disposed. */
export class Archive implements AsyncDisposable {
  readonly #members: readonly TarMember[]
  readonly #file: SpoolFile
  readonly #owned: AsyncDisposableStack

  private constructor(members: readonly TarMember[], file: SpoolFile, owned: AsyncDisposableStack) {
    this.#members = members
    this.#file = file
    this.#owned = owned
  }

  /** `invalid_argument` when it is malformed, `resource_exhausted` when it grows beyond measure. */
  static async open(file: SourceFile, spool: ArchiveSpool, signal: AbortSignal): Promise<Archive> {
    await using owned = new AsyncDisposableStack()
    const path = join(owned.use(await spool.take()).path, 'archive.tar')
    const members = new MemberList()
    const parser = new TarParser(members)
    const expansion = new Expansion()
    const plain = expansion.into(decompressAny(expansion.from(file.read()), { signal }))
    await writeSpool(path, plain, (chunk) => {
      signal.throwIfAborted()
      parser.push(chunk)
    })
    parser.end()
    return new Archive(members.all, owned.use(new SpoolFile(path)), owned.move())
  }

  /**
   * Puts its members into a directory, which is their root: neither names nor symlinks nor hard links lead out of it. Members
   * replace what is there, as tar does it, but directories are merged.
   */
  async unpack(draft: Draft, below: FilesBelow, into: DraftDirectory, marks: Marks): Promise<void> {
    const made = madeDirectory(marks)
    const turns = new Turns()
    for (const member of this.#members) {
      await turns.next()
      const entry = entryOf(member)
      const { path, type } = entry
      if (path === '') continue
      const directory = draft.makeDirectory(parentOf(path), made, into)
      if (type === 'directory') {
        draft.replaceDirectory(directory, baseName(path), describe(entry, marks))
        continue
      }
      const file: DraftFile =
        type === 'hardlink'
          ? await linked(draft, below, into, entry)
          : { kind: 'file', type, attributes: describe(entry, marks), read: () => this.#contentOf(member) }
      draft.putFile(directory, baseName(path), file, { replace: true })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync()
  }

  #contentOf({ offset, size, extents }: TarMember): AsyncIterable<Uint8Array> {
    return extents === undefined
      ? this.#file.read(offset, size)
      : this.#file.readSparse(offset, size, extents)
  }
}

/** All members of an archive, within the limits of what a layer can hold. */
class MemberList {
  readonly all: TarMember[] = []
  #holes = 0

  entry(member: TarMember): void {
    this.#holes += member.size - member.stored
    if (this.#holes > limits.expandedHoles) {
      throw invalidTar(member.path, 'sparse files that are too large when expanded')
    }
    if (this.all.push(member) > limits.nodes) {
      throw invalidTar(member.path, `more than ${limits.nodes} members`)
    }
  }
}

/**
 * The file that a hard link is another name of. One that only the layers below have becomes part of this layer, under the name
 * that it has there: links do not reach from one layer into another.
 */
async function linked(
  draft: Draft,
  below: FilesBelow,
  root: DraftDirectory,
  entry: TarEntry,
): Promise<DraftFile> {
  const { path, link = '' } = entry
  const place = draft.resolve(parentOf(link), root)
  const found =
    place.kind === 'directory' && place.missing.length === 0
      ? draft.lookup(place.directory, baseName(link))
      : undefined
  if (found === undefined) throw invalidTar(encodeBytes(path), 'hard link to a file that is not there')
  if (found.kind === 'directory') throw invalidTar(encodeBytes(path), 'hard link to a directory')
  if (found.kind === 'file') return found
  const { path: at, type } = found.file
  if (type === 'directory' || type === 'hardlink') throw new Error(`${at}: ${type}`)
  const known = (await below.describe([at])).get(at) ?? found.file
  const attributes = describe(known, { owner: undefined, mode: undefined })
  const file: DraftFile = { kind: 'file', type, attributes, read: () => below.read(at) }
  if (place.kind === 'directory') draft.putFile(place.directory, baseName(link), file)
  return file
}
