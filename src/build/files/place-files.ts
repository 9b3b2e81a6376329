import type { CopyStep } from '../graph/operations.ts'
import type { SourceFile } from '../sources/file-source.ts'
import { Turns } from '../sources/turns.ts'
import { Archive, type ArchiveSpool, isArchive } from './archive.ts'
import { describe, documentFile, madeDirectory, type Marks } from './attributes.ts'
import { type Draft, type DraftDirectory, type DraftFile, type Place, within } from './draft.ts'
import { cannotMake, notDirectory, severalToOneFile } from './errors.ts'
import type { FilesBelow } from './files-below.ts'
import { baseName, parentOf } from './source-patterns.ts'
import type { Taken } from './take-files.ts'

/** What a step is done on. */
export interface Workplace {
  readonly draft: Draft
  readonly below: FilesBelow
  readonly spool: ArchiveSpool
  /** Takes what contents are read from, until the layer is stored. */
  readonly held: AsyncDisposableStack
  readonly signal: AbortSignal
}

/** Puts what COPY and ADD take where `destination` says. */
export class Placement {
  readonly #draft: Draft
  readonly #at: Workplace
  readonly #marks: Marks
  /** Without a slash at its end. */
  readonly #destination: string
  /** The destination says that it is a directory. */
  readonly #inDirectory: boolean
  /** The destination is a file of this step: nothing else can be there. */
  #filled = false

  constructor(step: Pick<CopyStep, 'destination' | 'parents'>, marks: Marks, at: Workplace) {
    this.#draft = at.draft
    this.#at = at
    this.#marks = marks
    this.#destination = step.destination.replace(/\/+$/, '')
    this.#inDirectory = step.parents || step.destination.endsWith('/')
  }

  async place(taken: Taken, unpack: boolean): Promise<void> {
    if (taken.kind === 'contents') await this.#contents(taken)
    else if (
      unpack &&
      taken.file.attributes.type === 'file' &&
      (await isArchive(taken.file, this.#at.signal))
    ) {
      await this.#archive(taken.file)
    } else this.#file(taken.name, fileOf(taken.file, this.#marks))
  }

  /** A heredoc. */
  placeDocument(name: string, content: string): void {
    this.#file(name, documentFile(content, this.#marks))
  }

  #file(name: string, file: DraftFile): void {
    const place = this.#arrive()
    if (place.kind === 'directory' && place.missing.length === 0) {
      this.#draft.putFile(place.directory, name, file)
      return
    }
    if (this.#filled) throw severalToOneFile(this.#destination.slice(1))
    this.#filled = true
    if (place.kind === 'file') {
      this.#draft.putFile(place.directory, place.name, file)
      return
    }
    const directory = this.#make(place.directory, place.missing.slice(0, -1))
    this.#draft.putFile(directory, place.missing.at(-1) ?? name, file)
  }

  async #contents({ files }: Extract<Taken, { kind: 'contents' }>): Promise<void> {
    const place = this.#arrive()
    if (place.kind === 'file') throw notDirectory(within(place.directory, place.name))
    const top = this.#make(place.directory, place.missing)
    const directories = new Map([['', top]])
    const links = new Map<string, DraftFile>()
    const turns = new Turns()
    for await (const { file, path } of files()) {
      await turns.next()
      const directory = directories.get(parentOf(path))
      if (directory === undefined) throw new Error(`${path} comes before its directory`)
      const { attributes } = file
      if (attributes.type === 'directory') {
        const described = describe(attributes, this.#marks)
        directories.set(path, this.#draft.copyDirectory(directory, baseName(path), described))
        continue
      }
      const known = links.get(attributes.path)
      const put = known ?? fileOf(file, this.#marks)
      if (known === undefined) links.set(attributes.path, put)
      this.#draft.putFile(directory, baseName(path), put)
    }
  }

  /** What it makes has the archive's modes, as BuildKit does it: `--chmod` is for files that are copied. */
  async #archive(file: SourceFile): Promise<void> {
    const marks = { owner: this.#marks.owner, mode: undefined }
    const place = this.#draft.resolve(this.#destination)
    if (place.kind === 'file') throw cannotMake(within(place.directory, place.name))
    const into = this.#draft.make(place.directory, place.missing, madeDirectory(marks))
    const { below, spool, held, signal } = this.#at
    const archive = held.use(await Archive.open(file, spool, signal))
    await archive.unpack(this.#draft, below, into, marks)
  }

  /** Where the destination leads; what is missing of it is made if it has to be a directory. */
  #arrive(): Place {
    const place = this.#draft.resolve(this.#destination)
    if (!this.#inDirectory) return place
    if (place.kind === 'file') throw cannotMake(within(place.directory, place.name))
    return { kind: 'directory', directory: this.#make(place.directory, place.missing), missing: [] }
  }

  #make(directory: DraftDirectory, names: readonly string[]): DraftDirectory {
    return this.#draft.make(directory, names, madeDirectory(this.#marks))
  }
}

function fileOf(file: SourceFile, marks: Marks): DraftFile {
  const { type } = file.attributes
  if (type === 'directory' || type === 'hardlink') throw new Error(`${file.attributes.path} is a ${type}`)
  return {
    kind: 'file',
    type,
    attributes: describe(file.attributes, marks),
    read: () => file.read(),
  }
}
