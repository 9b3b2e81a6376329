import { didYouMean } from '#base/nearest.ts'
import { EngineError, messageOf } from '#base/errors.ts'
import { formatFamiliar, parseReference } from '#oci/reference.ts'
import { dockerfileError } from './failure.ts'
import type { Dockerfile } from './parse.ts'
import type { Range } from './source.ts'

/** Where files come from: an earlier stage, a named context of the build, an image, or nothing. */
export type Origin =
  | { readonly type: 'stage'; readonly index: number }
  | { readonly type: 'context'; readonly name: string }
  | {
      readonly type: 'image'
      readonly reference: string
      /** When the name reads as that of a stage: what to say if there is no such image. */
      readonly hint?: string
    }
  | { readonly type: 'scratch' }

/** The key under which people and the command line name an image or context: `alpine` for `docker.io/library/alpine:latest`. */
function contextKey(name: string): string {
  try {
    return formatFamiliar(parseReference(name)).replace(/:latest$/, '')
  } catch (error) {
    if (error instanceof EngineError) return name
    throw error
  }
}

/** What names in a Dockerfile mean. */
export class StageNames {
  readonly #file: Dockerfile
  readonly #contexts: ReadonlyMap<string, string>
  /** Numbers of the stages with a name, ascending. */
  readonly #named = new Map<string, number[]>()

  constructor(file: Dockerfile, contexts: ReadonlySet<string>) {
    this.#file = file
    for (const { from, index } of file.stages) {
      if (from.name === undefined) continue
      const numbers = this.#named.get(from.name)
      if (numbers === undefined) this.#named.set(from.name, [index])
      else numbers.push(index)
    }
    this.#contexts = new Map(Array.from(contexts, (name) => [contextKey(name), name]))
  }

  context(name: string): string | undefined {
    return name === 'scratch' ? undefined : this.#contexts.get(contextKey(name))
  }

  /** A base: stages above count, by their name as it is written. */
  base(name: string, index: number, range: Range): Origin {
    const stage = lastBelow(this.#named.get(name) ?? [], index)
    if (stage !== undefined) return { type: 'stage', index: stage }
    if (name === 'scratch') return { type: 'scratch' }
    return this.#outside(name, 'from', range)
  }

  /** `--from`: a stage's number or name, above if there is one, else below. */
  source(name: string, index: number, range: Range): Origin {
    const { stages, source } = this.#file
    if (/^[-+]?\d+$/.test(name)) {
      if (stages[Number(name)] !== undefined) return { type: 'stage', index: Number(name) }
      const hint = `Stages are numbered from 0 to ${stages.length - 1}.`
      throw dockerfileError(source, range, `invalid stage index ${name}`, hint)
    }
    const named = this.#named.get(name.toLowerCase()) ?? []
    const stage = lastBelow(named, index) ?? named[0]
    if (stage !== undefined) return { type: 'stage', index: stage }
    return name === 'scratch' ? { type: 'scratch' } : this.#outside(name, 'source', range)
  }

  #hint(name: string, by: 'from' | 'source'): string | undefined {
    if (this.#named.size === 0 || /[/:@.]/.test(name)) return undefined
    const near = didYouMean(name, this.#named.keys())
    // Most names after FROM are of images.
    if (near === '' && by === 'from') return undefined
    return `There is no stage ${name}${near}, so an image of that name is wanted.`
  }

  #outside(name: string, by: 'from' | 'source', range: Range): Origin {
    const context = this.context(name)
    if (context !== undefined) return { type: 'context', name: context }
    try {
      parseReference(name)
    } catch (error) {
      const stage = didYouMean(name, this.#named.keys())
      const hint = this.#named.has(name.toLowerCase()) ? 'Names of stages are lower case in FROM.' : undefined
      const message = `failed to parse stage name ${JSON.stringify(name)}: ${messageOf(error)}${stage}`
      throw dockerfileError(this.#file.source, range, message, hint)
    }
    const hint = this.#hint(name, by)
    return { type: 'image', reference: name, ...(hint === undefined ? {} : { hint }) }
  }
}

/** The greatest of ascending numbers that is less than `limit`. */
function lastBelow(numbers: readonly number[], limit: number): number | undefined {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((numbers[middle] ?? 0) < limit) low = middle + 1
    else high = middle
  }
  return numbers[low - 1]
}
