import type { Background } from '#base/background.ts'
import { EngineError } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import { produced } from '#base/produced.ts'
import type { CacheMiss } from '#build/progress/progress.ts'
import { type BuildDeps, runBuild } from './build.ts'
import type { CacheUpkeep } from './cache/cache-upkeep.ts'
import { LogBacklog } from './log-backlog.ts'
import { outputNames, outputReferences } from './outputs.ts'
import type { BuildExplanation, BuildMessage, BuildOptions, BuildService } from './service.ts'

export interface BuildsDeps extends BuildDeps {
  readonly upkeep: CacheUpkeep
  readonly background: Background
}

/** Builds whose explanations are kept. */
const EXPLAINED = 50

/** Builds images. */
export class Builds implements BuildService {
  readonly #deps: BuildsDeps
  readonly #running = new Map<string, AbortController>()
  readonly #explained = new Map<string, BuildExplanation>()

  constructor(deps: BuildsDeps) {
    this.#deps = deps
  }

  get sessions(): BuildService['sessions'] {
    return this.#deps.sessions
  }

  build(options: BuildOptions): AsyncIterable<BuildMessage> {
    // What is wrong with the names is said before anything is read.
    outputReferences(options.tags, options.outputs)
    const id = options.id ?? newId().slice(0, 25)
    const backlog = new LogBacklog()
    const messages = produced<BuildMessage>(
      (tell, signal) => this.#build(id, options, (message) => backlog.put(message, tell), signal),
      {
        signal: options.signal,
        passing: { about: subjectOf, is: (message) => message.type === 'status' },
      },
    )
    return backlog.drain(messages)
  }

  cancel(id: string): boolean {
    const running = this.#running.get(id)
    running?.abort(new EngineError('cancelled', `build ${id} was cancelled`, { code: 'BUILD_CANCELLED' }))
    return running !== undefined
  }

  prune: BuildService['prune'] = (options) => this.#deps.upkeep.prune(options)

  planPrune: BuildService['planPrune'] = (options) => this.#deps.upkeep.planPrune(options)

  usage: BuildService['usage'] = (filters) => this.#deps.upkeep.usage(filters)

  async why(id?: string): Promise<BuildExplanation> {
    const found = id === undefined ? [...this.#explained.values()].at(-1) : this.#explained.get(id)
    if (found !== undefined) return found
    const which = id === undefined ? 'nothing was built' : `no build ${id} is known`
    throw new EngineError('not_found', `${which} since the engine was started`, { code: 'BUILD_NOT_FOUND' })
  }

  async artifact(build: string, index: number): Promise<AsyncIterable<Uint8Array>> {
    return this.#deps.artifacts.take(build, index)
  }

  async #build(
    id: string,
    options: BuildOptions,
    tell: (message: BuildMessage) => void,
    outer: AbortSignal,
  ): Promise<void> {
    if (this.#running.has(id)) {
      throw new EngineError('conflict', `a build with the id ${id} is running already`, {
        code: 'BUILD_ID_TAKEN',
      })
    }
    const cancel = new AbortController()
    this.#running.set(id, cancel)
    const explanation = new Explanation(id, options)
    try {
      const watched = (message: BuildMessage): void => {
        explanation.note(message)
        tell(message)
      }
      await runBuild(id, options, this.#deps, watched, AbortSignal.any([outer, cancel.signal]))
    } finally {
      this.#running.delete(id)
      this.#keep(explanation.finished(this.#deps.clock.now()))
      this.#deps.background.run('tidying the build cache', () => this.#deps.upkeep.collect())
    }
  }

  #keep(explanation: BuildExplanation): void {
    this.#explained.delete(explanation.id)
    this.#explained.set(explanation.id, explanation)
    const [oldest] = this.#explained.keys()
    if (this.#explained.size > EXPLAINED && oldest !== undefined) this.#explained.delete(oldest)
  }
}

/** Counts what a build says of its steps. */
class Explanation {
  readonly #id: string
  readonly #name: string
  readonly #steps = new Set<string>()
  readonly #cached = new Set<string>()
  readonly #misses: CacheMiss[] = []

  constructor(id: string, { tags, outputs, context }: BuildOptions) {
    this.#id = id
    this.#name = outputNames(tags, outputs)[0] ?? (context.type === 'directory' ? context.path : context.type)
  }

  note(message: BuildMessage): void {
    if (message.type === 'explanation') this.#misses.push(message.miss)
    if (message.type !== 'vertex' || message.name.startsWith('[internal]')) return
    if (message.stage === undefined) return
    this.#steps.add(message.id)
    if (message.cached === true) this.#cached.add(message.id)
  }

  finished(now: Date): BuildExplanation {
    return {
      id: this.#id,
      name: this.#name,
      finished: now.toISOString(),
      steps: this.#steps.size,
      cached: this.#cached.size,
      misses: this.#misses,
    }
  }
}

function subjectOf(message: BuildMessage): string | undefined {
  return message.type === 'status' ? `${message.vertex} ${message.id}` : undefined
}
