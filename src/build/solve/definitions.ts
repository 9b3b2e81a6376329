import type { Digest } from '#base/digest.ts'
import type { Filesystem } from '../graph/operations.ts'
import type { Inputs, Taken } from './inputs.ts'
import { definitionKey, isStep, keyOfImage, keyOfScratch, type Step, takenFilesystems } from './keys.ts'

export interface Definition {
  readonly key: Digest
  /** Files that were looked at for it. */
  readonly taken: Taken | undefined
  /** Something of it is to be built anew, whatever there is. */
  readonly fresh: boolean
  /** That is so of a filesystem it takes files from: what was made of the former one says nothing. */
  readonly renewed: boolean
}

/** The definition keys of one build's filesystems, each found out once. */
export class Definitions {
  readonly #inputs: Inputs
  readonly #known = new Map<Filesystem, Promise<Definition>>()
  readonly #failed: (step: Step, error: unknown) => unknown

  /** `failed` says what is thrown when files cannot be looked at. */
  constructor(inputs: Inputs, failed: (step: Step, error: unknown) => unknown) {
    this.#inputs = inputs
    this.#failed = failed
  }

  of(node: Filesystem): Promise<Definition> {
    let known = this.#known.get(node)
    if (known === undefined) {
      known = isStep(node) ? this.#ofStep(node) : Promise.resolve(leaf(node))
      this.#known.set(node, known)
    }
    return known
  }

  async #ofStep(step: Step): Promise<Definition> {
    const below = [step.on, ...takenFilesystems(step)]
    const [taken, ...inputs] = await Promise.all([this.#look(step), ...below.map((node) => this.of(node))])
    const keys = new Map(below.map((node, i) => [node, inputs[i]?.key]))
    const definitionOf = (node: Filesystem): Digest => {
      const key = keys.get(node)
      if (key === undefined) throw new Error('a filesystem that is no input of the step')
      return key
    }
    return {
      key: definitionKey(step, { definitionOf, taken: taken?.digest }),
      taken,
      fresh: step.label.uncached || inputs.some(({ fresh }) => fresh),
      renewed: inputs.slice(1).some(({ fresh }) => fresh),
    }
  }

  async #look(step: Step): Promise<Taken | undefined> {
    try {
      return await this.#inputs.of(step, 'external')
    } catch (error) {
      throw this.#failed(step, error)
    }
  }
}

function leaf(node: Exclude<Filesystem, Step>): Definition {
  const key = node.kind === 'image' ? keyOfImage(node) : keyOfScratch(node)
  return { key, taken: undefined, fresh: false, renewed: false }
}
