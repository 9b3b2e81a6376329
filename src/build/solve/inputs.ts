import { type Digest, digestOf } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import type { TakenFile } from '#store/build-cache/file-list.ts'
import type { CopySource, CopyStep, FileOrigin, RunStep } from '../graph/operations.ts'
import { cleanSource, hasWildcards } from '../files/source-patterns.ts'
import type { FileSource } from '../sources/file-source.ts'
import { encode } from './encoding.ts'
import { isFilesystem, isPinned, keyOfLayers, type Step } from './keys.ts'
import type { CopyInputs, CopyResult, FileSteps, StepResult } from './ports.ts'
import type { RecentInputs } from './recent-inputs.ts'
import { treeDigest } from './tree-digest.ts'

/** The files that a step takes: what stands for them, and each of them. */
export interface Taken {
  readonly digest: Digest
  readonly files: readonly TakenFile[]
}

export interface InputsDeps {
  readonly files: Pick<FileSteps, 'inspect'>
  readonly recent: RecentInputs
  readonly open: (origin: FileOrigin) => Promise<FileSource>
  /** Of a filesystem that has been solved. */
  readonly layersOf: (origin: FileOrigin) => readonly Digest[] | undefined
  readonly signal: AbortSignal
}

/** Which of the files: those that need no step to be done and must be looked at to be known, or all. */
export type Scope = 'external' | 'all'

/** What the step takes; undefined when there is nothing to look at. What is the same for several steps is looked at once. */
export class Inputs {
  readonly #deps: InputsDeps
  readonly #looked = new Map<string, Promise<CopyInputs>>()
  /** Objects stand for themselves: two contexts may have one name. */
  readonly #origins = new Map<FileOrigin, number>()

  constructor(deps: InputsDeps) {
    this.#deps = deps
  }

  async of(step: Step, scope: Scope): Promise<Taken | undefined> {
    if (step.kind === 'directory') return undefined
    return step.kind === 'copy' ? this.#ofCopy(step, scope) : this.#ofRun(step, scope)
  }

  /**
   * Whether the step, which has been done, took what was looked at before. A directory of the host is read in place, and whoever
   * works in it need not wait for a build.
   */
  async held(step: Step, done: StepResult | CopyResult): Promise<boolean> {
    const all = await this.of(step, 'all')
    if (all === undefined) return true
    if ('taken' in done && done.taken !== all.digest) return false
    const external = await this.of(step, 'external')
    // COPY has said it of all; only when some of it was looked at apart, for the definition, that may be another state.
    if (external === undefined || ('taken' in done && external === all)) return true
    return (await this.#again(step))?.digest === external.digest
  }

  /** What can change, looked at anew; undefined when it cannot be looked at any more. */
  async #again(step: Step): Promise<Taken | undefined> {
    const anew = new Inputs(this.#deps)
    try {
      return await anew.of(step, 'external')
    } catch (error) {
      this.#deps.signal.throwIfAborted()
      if (error instanceof EngineError) return undefined
      throw error
    }
  }

  async #ofCopy(step: CopyStep, scope: Scope): Promise<Taken | undefined> {
    const sources = step.sources.filter((source) => source.type === 'files' && isWithin(source.from, scope))
    if (sources.length === 0) return undefined
    const key = this.#keyOfCopy(step, sources, (origin) => this.#numberOf(origin))
    return this.#once(key, () => this.#inspect(step, sources))
  }

  async #inspect(step: CopyStep, sources: readonly CopySource[]): Promise<CopyInputs> {
    const looked: CopyStep = { ...step, sources, owner: step.owner === undefined ? undefined : '0:0' }
    const { open, signal, files, recent } = this.#deps
    const look = (): Promise<CopyInputs> => files.inspect({ step: looked, layers: [], open, signal })
    const states = await this.#statesOf(step, sources)
    return states === undefined
      ? look()
      : recent.of(
          this.#keyOfCopy(step, sources, () => states),
          look,
        )
  }

  /** Of what is at the paths that are named, when each is as it is written, without patterns and symlinks on the way. */
  async #statesOf(step: CopyStep, sources: readonly CopySource[]): Promise<readonly Digest[] | undefined> {
    if (step.parents) return undefined
    const states: Digest[] = []
    for (const source of sources) {
      if (source.type !== 'files' || isFilesystem(source.from) || hasWildcards(source.pattern))
        return undefined
      const state = await this.#stateOf(source.from, cleanSource(source.pattern))
      if (state === undefined) return undefined
      states.push(state)
    }
    return states
  }

  /** Of what came with the build: all else is looked at once anyway, and kept. */
  async #stateOf(origin: FileOrigin, path: string): Promise<Digest | undefined> {
    if (origin.kind !== 'context') return undefined
    await using source = await this.#deps.open(origin)
    if (source.state === undefined || (await source.find(path))?.attributes.path !== path) return undefined
    return await source.state(path, { signal: this.#deps.signal })
  }

  async #ofRun(step: RunStep, scope: Scope): Promise<Taken | undefined> {
    const binds = step.mounts
      .filter((mount) => mount.type === 'bind')
      .filter(({ from }) => isWithin(from, scope))
    if (binds.length === 0) return undefined
    const all = await Promise.all(binds.map(({ from, source }) => this.#ofTree(from, source)))
    return {
      digest: digestOf(encode(all.map(({ digest }) => digest))),
      files: all.flatMap(({ files }) => files),
    }
  }

  async #ofTree(origin: FileOrigin, path: string): Promise<CopyInputs> {
    // To read all files of an image only to know what its layers say anyway would be a waste.
    const layers = path === '/' ? this.#deps.layersOf(origin) : undefined
    if (layers !== undefined) return { digest: keyOfLayers(layers), files: [] }
    return this.#once(encode(['tree', this.#numberOf(origin), path]), async () => {
      const look = async (): Promise<CopyInputs> => {
        await using source = await this.#deps.open(origin)
        return await treeDigest(source, path, this.#deps)
      }
      const state = await this.#stateOf(origin, cleanSource(path))
      return state === undefined ? look() : this.#deps.recent.of(encode(['tree', path, state]), look)
    })
  }

  #once(key: string, look: () => Promise<CopyInputs>): Promise<CopyInputs> {
    let looked = this.#looked.get(key)
    if (looked === undefined) {
      looked = look()
      this.#looked.set(key, looked)
    }
    return looked
  }

  #keyOfCopy(
    { destination, mode, link, parents, exclude, owner }: CopyStep,
    sources: readonly CopySource[],
    standsFor: (origin: FileOrigin) => unknown,
  ): string {
    const all = { sources, destination, mode, link, parents, exclude, owned: owner !== undefined }
    return encode(['copy', all], (value) =>
      'kind' in value ? { as: standsFor(value as FileOrigin) } : undefined,
    )
  }

  #numberOf(origin: FileOrigin): number {
    const known = this.#origins.get(origin)
    if (known !== undefined) return known
    this.#origins.set(origin, this.#origins.size)
    return this.#origins.size - 1
  }
}

function isWithin(origin: FileOrigin, scope: Scope): boolean {
  return scope === 'all' || (!isFilesystem(origin) && !isPinned(origin))
}
