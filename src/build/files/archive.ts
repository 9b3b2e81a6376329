import { isKind } from '#base/errors.ts'

import { Expansion } from '#oci/expansion.ts'
import { encodeBytes, type TarEntry } from '#oci/tar/entry.ts'
import { invalidTar } from '#oci/tar/errors.ts'
import { TarParser } from '#oci/tar/parser.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { decompressAny } from '../sources/decompress-any.ts'
import type { SourceFile } from '../sources/file-source.ts'
import { describe, madeDirectory, type Marks } from './attributes.ts'
import type { Draft, DraftDirectory, DraftFile, MemberReader } from './draft.ts'
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

/**
 * An archive that ADD unpacks into a directory, which is its root: neither names nor symlinks nor hard links lead out of it.
 * Members replace what is there, as tar does it, but directories are merged.
 */
export class Archive implements MemberReader {
  readonly #file: SourceFile
  readonly #signal: AbortSignal

  constructor(file: SourceFile, signal: AbortSignal) {
    this.#file = file
    this.#signal = signal
  }

  async *members(): AsyncGenerator<AsyncIterable<Uint8Array>> {
    for await (const { data } of this.#read()) yield data
  }

  async unpack(draft: Draft, below: FilesBelow, into: DraftDirectory, marks: Marks): Promise<void> {
    const made = madeDirectory(marks)
    let number = 0
    for await (const { entry } of this.#read()) {
      this.#signal.throwIfAborted()
      const member = number++
      if (entry.path === '') continue
      const directory = draft.makeDirectory(parentOf(entry.path), made, into)
      const name = baseName(entry.path)
      if (entry.type === 'directory') {
        draft.replaceDirectory(directory, name, describe(entry, marks))
      } else {
        const { type } = entry
        const file =
          type === 'hardlink'
            ? await linked(draft, below, into, entry)
            : {
                kind: 'file' as const,
                type,
                attributes: describe(entry, marks),
                content: { archive: this, member },
              }
        draft.putFile(directory, name, file, { replace: true })
      }
    }
  }

  #read(): ReturnType<typeof readTar> {
    const expansion = new Expansion()
    const plain = decompressAny(expansion.from(this.#file.read()), { signal: this.#signal })
    return readTar(expansion.into(plain))
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
  const file: DraftFile = {
    kind: 'file',
    type,
    attributes: describe(known, { owner: undefined, mode: undefined }),
    content: { read: () => below.read(at) },
  }
  if (place.kind === 'directory') draft.putFile(place.directory, baseName(link), file)
  return file
}
