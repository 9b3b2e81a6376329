import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { writeTar } from '#oci/tar/write-tar.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { CopyStep, DirectoryStep, FileOrigin } from '../graph/operations.ts'
import type { CopyInputs, CopyResult, FileSteps, Note, Ready, StepResult } from '../solve/ports.ts'
import type { FileSource } from '../sources/file-source.ts'
import type { ArchiveSpool } from './archive.ts'
import { madeDirectory } from './attributes.ts'
import { draftEntries } from './draft-entries.ts'
import { Draft, within } from './draft.ts'
import { cannotMake } from './errors.ts'
import { type FilesBelow, nothingBelow } from './files-below.ts'
import { type FilesOf, Inspection } from './inspect-files.ts'
import { type Owner, ownerOf, type UnknownName } from './owner.ts'
import { Placement } from './place-files.ts'
import { type Taken, takeFiles } from './take-files.ts'

export interface LayerFilesDeps {
  readonly snapshots: Pick<Snapshots, 'ingest'>
  /** The files of the layers that a step stands on: openBelow(). */
  readonly below: (layers: readonly Digest[]) => Promise<FilesBelow>
  readonly spool: ArchiveSpool
}

/**
 * COPY, ADD and WORKDIR: their layers are written straight from the sources, as one archive, without a root filesystem.
 * The same sources on the same layers give the same layer.
 */
export class LayerFiles implements FileSteps {
  readonly #deps: LayerFilesDeps

  constructor(deps: LayerFilesDeps) {
    this.#deps = deps
  }

  async inspect(ready: Ready<CopyStep>): Promise<CopyInputs> {
    await using sources = new Sources(ready)
    const inspection = new Inspection(ready.signal)
    for (const source of ready.step.sources) {
      if (source.type !== 'files') continue
      for await (const taken of inspection.watch(sources.take(source))) {
        ready.signal.throwIfAborted()
        if (taken.kind === 'contents') for await (const _file of taken.files());
      }
    }
    return inspection.result()
  }

  async copy(ready: Ready<CopyStep>, note: Note): Promise<CopyResult> {
    const { step, layers, signal } = ready
    await using opened = new AsyncDisposableStack()
    const sources = opened.use(new Sources(ready))
    const below = step.link ? nothingBelow : opened.use(await this.#deps.below(layers))
    const owner = await this.#owner(ready, below, note)
    const draft = new Draft(below)
    const marks = { owner, mode: step.mode }
    const { spool } = this.#deps
    const placement = new Placement(step, marks, { draft, below, spool, held: opened, signal })
    const inspection = new Inspection(signal)
    for (const source of step.sources) {
      if (source.type === 'document') placement.placeDocument(source.name, source.content)
      else {
        for await (const taken of inspection.watch(sources.take(source))) {
          await placement.place(taken, source.unpack !== 'never')
        }
      }
    }
    const { layer } = await this.#store(draft, below, signal)
    return { layer, taken: inspection.result().digest }
  }

  async directory(ready: Ready<DirectoryStep>, note: Note): Promise<StepResult> {
    const { step, layers, signal } = ready
    await using below = await this.#deps.below(layers)
    const draft = new Draft(below)
    const place = draft.resolve(step.path)
    if (place.kind === 'file') throw cannotMake(within(place.directory, place.name))
    if (place.missing.length > 0) {
      const owner = await ownerOf(step.user, draft, { below, unknown: unknownName(ready, note) })
      draft.make(place.directory, place.missing, madeDirectory({ owner, mode: undefined }))
    }
    return await this.#store(draft, below, signal)
  }

  async #owner(ready: Ready<CopyStep>, below: FilesBelow, note: Note): Promise<Owner | undefined> {
    const { step, layers } = ready
    if (step.owner === undefined) return undefined
    const unknown = unknownName(ready, note)
    if (!step.link) return ownerOf(step.owner, new Draft(below), { below, unknown })
    await using accounts = await this.#deps.below(layers)
    return await ownerOf(step.owner, new Draft(accounts), { below: accounts, unknown })
  }

  async #store(draft: Draft, below: FilesBelow, signal: AbortSignal): Promise<StepResult> {
    if (!draft.root.touched) return { layer: undefined }
    const { diffId } = await this.#deps.snapshots.ingest(writeTar(draftEntries(draft, below)), { signal })
    return { layer: diffId }
  }
}

/** What to do about a name that is not there: tell it; on nothing, where no name can be, fail. As BuildKit does. */
function unknownName({ step, layers }: Ready<CopyStep | DirectoryStep>, note: Note): UnknownName {
  return (kind, name) => {
    const file = kind === 'user' ? '/etc/passwd' : '/etc/group'
    if (layers.length === 0) {
      throw new EngineError('invalid_argument', `scratch has no ${file} to find the ${kind} ${name} in`, {
        code: 'USER_INVALID',
      })
    }
    const instead = kind === 'user' ? 'root' : 'the group of the user'
    note(`warning: line ${step.label.line}: no ${kind} ${name} in ${file} here: ${instead} is taken`)
  }
}

/** The sources of a step, each opened once. */
class Sources implements AsyncDisposable {
  readonly #ready: Ready<CopyStep>
  readonly #open = new Map<FileOrigin, FileSource>()
  readonly #held = new AsyncDisposableStack()

  constructor(ready: Ready<CopyStep>) {
    this.#ready = ready
  }

  async *take({ from, pattern }: FilesOf): AsyncGenerator<Taken> {
    const { step, signal } = this.#ready
    const { parents, exclude } = step
    yield* takeFiles(await this.#source(from), pattern, { parents, exclude, signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }

  async #source(from: FileOrigin): Promise<FileSource> {
    const known = this.#open.get(from)
    if (known !== undefined) return known
    const source = this.#held.use(await this.#ready.open(from))
    this.#open.set(from, source)
    return source
  }
}
