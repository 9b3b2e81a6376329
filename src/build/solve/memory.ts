import type { Digest } from '#base/digest.ts'
import { packText, unpackText } from '#store/build-cache/file-list.ts'
import type { MemoryRows } from '#store/build-cache/memory-rows.ts'
import type { PlacedStep } from './reachable.ts'

/** What a step was made of when a build had it last. */
export interface StepMemory {
  readonly stage: string
  readonly position: number
  /** As written, variables not expanded. */
  readonly instruction: string
  /** `fieldsOf()`: all that the step says itself. */
  readonly fields: string
  readonly args: Readonly<Record<string, string>>
  readonly definition: Digest
  /** Of the list of files it took, which is kept beside. */
  readonly files?: Digest | undefined
  /** Of the layers it stood on. */
  readonly below?: Digest | undefined
  /** The image it stood on, without a step between. */
  readonly image?: { readonly name: string; readonly id: Digest } | undefined
}

/** What a build was made of the last time, so that a miss can be explained. */
export class BuildMemory {
  readonly #rows: MemoryRows
  readonly #name: string | undefined
  readonly #text: string
  readonly #before: readonly StepMemory[]

  private constructor(rows: MemoryRows, name: string | undefined, text: string) {
    this.#rows = rows
    this.#name = name
    this.#text = text
    this.#before = text === '' ? [] : readDocument(text)
  }

  /** That of the build `name`; of a build without a name nothing is kept. */
  static async open(rows: MemoryRows, name: string | undefined): Promise<BuildMemory> {
    const stored = name === undefined ? undefined : rows.get(name)
    return new BuildMemory(rows, name, stored === undefined ? '' : await readable(unpackText(stored)))
  }

  /** For each step what stood in its place: the same instruction of its stage, or else what it has replaced. */
  match(steps: readonly PlacedStep[]): Map<PlacedStep['step'], StepMemory> {
    const matched = new Map<PlacedStep['step'], StepMemory>()
    const free = new Set(this.#before)
    const take = (placed: PlacedStep, fits: (before: StepMemory) => boolean): void => {
      if (matched.has(placed.step)) return
      const before = free.values().find((each) => each.stage === placed.stage && fits(each))
      if (before === undefined) return
      matched.set(placed.step, before)
      free.delete(before)
    }
    for (const placed of steps) {
      const { position, step } = placed
      take(placed, (each) => each.position === position && each.instruction === step.label.instruction)
    }
    for (const placed of steps) take(placed, (each) => each.instruction === placed.step.label.instruction)
    for (const placed of steps) take(placed, (each) => each.position === placed.position)
    return matched
  }

  /** Keeps it for the next build of this name; writes nothing when it is as it was. */
  async keep(steps: readonly StepMemory[], now: number): Promise<void> {
    if (this.#name === undefined) return
    const text = JSON.stringify({ version: VERSION, steps })
    if (text === this.#text) return
    this.#rows.put(
      this.#name,
      await packText(text),
      steps.flatMap(({ files }) => files ?? []),
      now,
    )
  }
}

const VERSION = 1

/** No build fails because what is known of the one before cannot be read. */
async function readable(text: Promise<string>): Promise<string> {
  return text.catch(() => '')
}

/** What another version has written is as if it was not there. */
function readDocument(text: string): readonly StepMemory[] {
  const document = JSON.parse(text) as { readonly version?: number; readonly steps: readonly StepMemory[] }
  return document.version === VERSION ? document.steps : []
}
