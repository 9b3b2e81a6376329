import type { Digest } from '#base/digest.ts'
import type { BuildCache } from '#store/build-cache/build-cache.ts'
import { packFiles, type TakenFile, unpackFiles } from '#store/build-cache/file-list.ts'
import type { CacheMiss } from '../progress/progress.ts'
import { explain } from './explain.ts'
import type { Taken } from './inputs.ts'
import { fieldsOf, isIndependent, type Step } from './keys.ts'
import { BuildMemory, type StepMemory } from './memory.ts'
import type { PlacedStep } from './reachable.ts'

/** What has been found out about a step so far. */
interface Facts {
  definition?: Digest
  files?: Digest | undefined
  below?: Digest | undefined
  done?: boolean
}

/** Compares a build with what it was the last time, and keeps what it is now for the next. */
export class Explanations {
  readonly #cache: Pick<BuildCache, 'memories'>
  readonly #memory: BuildMemory
  readonly #steps: readonly PlacedStep[]
  readonly #before: ReadonlyMap<Step, StepMemory>
  readonly #facts = new Map<Step, Facts>()
  readonly #lists = new Map<Digest, readonly TakenFile[]>()

  private constructor(
    cache: Pick<BuildCache, 'memories'>,
    memory: BuildMemory,
    steps: readonly PlacedStep[],
  ) {
    this.#cache = cache
    this.#memory = memory
    this.#steps = steps
    this.#before = memory.match(steps)
  }

  /** Of the build `name`; of one without a name nothing is known or kept. */
  static async open(
    cache: Pick<BuildCache, 'memories'>,
    name: string | undefined,
    steps: readonly PlacedStep[],
  ): Promise<Explanations> {
    return new Explanations(cache, await BuildMemory.open(cache.memories, name), steps)
  }

  note(step: Step, facts: Facts): void {
    this.#facts.set(step, { ...this.#facts.get(step), ...facts })
  }

  noteTaken(step: Step, { digest, files }: Taken): void {
    this.note(step, { files: digest })
    this.#lists.set(digest, files)
  }

  /** Why the step has to be done; what it takes and stands on has been noted. */
  async explain(step: Step, gone: boolean): Promise<CacheMiss> {
    const placed = this.#steps.find((each) => each.step === step)
    const now = placed && this.#now(placed)
    if (now === undefined) throw new Error(`nothing is known of ${step.label.name}`)
    const filesOf = (digest: Digest): Promise<readonly TakenFile[] | undefined> => this.#filesOf(digest)
    return explain({ step, now, before: this.#before.get(step), gone, filesOf })
  }

  /** `all`: what was not done was not needed, and is as it is known now. */
  async keep(all: boolean, now: number): Promise<void> {
    const steps = this.#steps.flatMap((placed) => {
      const { step } = placed
      const isKnown = all || this.#facts.get(step)?.done === true
      return (isKnown ? this.#now(placed) : this.#before.get(step)) ?? []
    })
    for (const { files } of steps) {
      const list = files === undefined ? undefined : this.#lists.get(files)
      if (files === undefined || list === undefined || this.#cache.memories.hasFiles(files)) continue
      this.#cache.memories.putFiles(files, await packFiles(list))
    }
    await this.#memory.keep(steps, now)
  }

  #now({ step, stage, position }: PlacedStep): StepMemory | undefined {
    const { definition, ...facts } = this.#facts.get(step) ?? {}
    if (definition === undefined) return undefined
    const before = this.#before.get(step)
    const same = before?.definition === definition ? before : undefined
    // What is below a step that is alone does not matter.
    const on = isIndependent(step) ? undefined : step.on
    const below = on && (facts.below ?? same?.below)
    const { instruction, args } = step.label
    return {
      stage,
      position,
      instruction,
      fields: fieldsOf(step),
      args,
      definition,
      files: facts.files ?? same?.files,
      below,
      image: on?.kind === 'image' ? { name: on.name, id: on.id } : undefined,
    }
  }

  async #filesOf(digest: Digest): Promise<readonly TakenFile[] | undefined> {
    const known = this.#lists.get(digest)
    if (known !== undefined) return known
    const stored = this.#cache.memories.files(digest)
    // One that cannot be read is as one that was forgotten.
    return stored && unpackFiles(stored).catch(() => undefined)
  }
}
