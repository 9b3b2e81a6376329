import type { Digest } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import type { FileOrigin, Filesystem } from '../graph/operations.ts'
import type { FileSource } from '../sources/file-source.ts'
import { type Definition, Definitions } from './definitions.ts'
import { Explanations } from './explanations.ts'
import { Inputs, type Taken } from './inputs.ts'
import {
  contentKey,
  isFilesystem,
  isIndependent,
  isStep,
  keyOfLayers,
  type Step,
  takenFilesystems,
} from './keys.ts'
import { type Reachable, reachable } from './reachable.ts'
import type { Solved, SolveRequest } from './solved.ts'
import type { Made, Shared, SolverDeps } from './solver.ts'
import type { StepResult } from './ports.ts'
import { plainMessage, stepFailed } from './step-error.ts'
import { StepWork } from './step-work.ts'
import { Vertices } from './vertices.ts'

/** One solving of one graph. */
export class Solve {
  readonly #deps: SolverDeps
  readonly #request: SolveRequest
  readonly #targets: readonly Filesystem[]
  readonly #reachable: Reachable
  readonly #work: StepWork
  readonly #vertices: Vertices
  readonly #inputs: Inputs
  readonly #definitions: Definitions
  readonly #explanations: Promise<Explanations>
  readonly #abort = new AbortController()
  readonly #signal: AbortSignal
  readonly #begun = new Set<Promise<unknown>>()
  readonly #defining = new Map<Step, Promise<Definition>>()
  readonly #resolving = new Map<Filesystem, Promise<Solved>>()
  readonly #making = new Map<Digest, Promise<Made>>()
  readonly #solved = new Map<Filesystem, Solved>()
  #explained = Promise.resolve()
  #failure: { readonly error: unknown } | undefined

  constructor(deps: SolverDeps, shared: Shared, targets: readonly Filesystem[], request: SolveRequest) {
    this.#deps = deps
    this.#request = request
    this.#targets = targets
    this.#reachable = reachable(targets)
    this.#signal = AbortSignal.any([request.signal, this.#abort.signal])
    this.#work = new StepWork(deps, shared.flights, request)
    this.#vertices = new Vertices(request.report, () => deps.clock.now().toISOString())
    this.#inputs = new Inputs({
      files: deps.files,
      recent: shared.recent,
      open: (origin) => this.#open(origin),
      layersOf: (origin) => (isFilesystem(origin) ? this.#solved.get(origin)?.layers : undefined),
      signal: this.#signal,
    })
    this.#definitions = new Definitions(this.#inputs, (step, error) => this.#cannotLook(step, error))
    this.#explanations = Explanations.open(deps.cache, request.slot, this.#reachable.steps)
  }

  async run(): Promise<ReadonlyMap<Filesystem, Solved>> {
    const { cache, clock } = this.#deps
    const { lease } = this.#request
    await this.#explanations
    for (const image of this.#reachable.images) {
      await lease.keep(image.layers)
      this.#vertices.image(image)
    }
    // Files of contexts are looked at while the first steps run: one that is missing need not wait for them.
    for (const { step } of this.#reachable.steps) void this.#define(step)
    for (const target of this.#targets) void this.#resolve(target)
    await this.#ended()
    if (this.#request.complete === true && this.#failure === undefined) await this.#resolveRest()
    const explanations = await this.#explanations
    if (this.#failure === undefined) await this.#skipRest()
    await this.#remember(explanations, clock.now().getTime())
    if (this.#failure !== undefined) throw this.#failure.error
    this.#request.signal.throwIfAborted()
    await cache.durable()
    return this.#solved
  }

  /** It only explains: no build fails for it, and no failure is hidden by it. */
  async #remember(explanations: Explanations, now: number): Promise<void> {
    try {
      await explanations.keep(this.#failure === undefined, now)
    } catch (error) {
      if (this.#failure === undefined && !isKind(error, 'resource_exhausted')) throw error
    }
  }

  #resolve(node: Filesystem): Promise<Solved> {
    let resolving = this.#resolving.get(node)
    if (resolving === undefined) {
      resolving = this.#begin(this.#solve(node))
      this.#resolving.set(node, resolving)
    }
    return resolving
  }

  async #solve(node: Filesystem): Promise<Solved> {
    this.#signal.throwIfAborted()
    const solved = isStep(node) ? await this.#solveStep(node) : await this.#solveLeaf(node)
    this.#solved.set(node, solved)
    return solved
  }

  async #solveLeaf(node: Exclude<Filesystem, Step>): Promise<Solved> {
    const { key } = await this.#definitions.of(node)
    const layers = node.kind === 'image' ? node.layers : []
    return {
      layers,
      layer: undefined,
      definition: key,
      cached: true,
      content: undefined,
      result: undefined,
      asDefined: true,
    }
  }

  async #solveStep(step: Step): Promise<Solved> {
    const definition = await this.#define(step)
    const below = this.#resolve(step.on)
    // The same operation twice in a graph is one.
    let making = this.#making.get(definition.key)
    if (making === undefined) {
      making = this.#begin(this.#make(step, definition, below))
      this.#making.set(definition.key, making)
    }
    const [on, made] = await Promise.all([below, making])
    const { layers } = on
    const explanations = await this.#explanations
    explanations.note(step, { below: keyOfLayers(layers), done: true })
    const { layer, content, cached, result, asDefined } = made
    return {
      layers: layer === undefined ? layers : [...layers, layer],
      layer,
      definition: definition.key,
      cached,
      content,
      result,
      asDefined: asDefined && on.asDefined,
    }
  }

  async #make(step: Step, definition: Definition, below: Promise<Solved>): Promise<Made> {
    const id = definition.key
    try {
      const made = await this.#findOrMake(step, definition, below)
      this.#vertices.end(id, { cached: made.cached })
      return made
    } catch (error) {
      // One that is cancelled does not end: what comes to an end is the build.
      if (!this.#signal.aborted) this.#vertices.end(id, { error: plainMessage(error) })
      throw error
    }
  }

  async #findOrMake(step: Step, definition: Definition, below: Promise<Solved>): Promise<Made> {
    const isAlone = isIndependent(step)
    const mayHave = !step.label.uncached && !definition.renewed && this.#mayHave(definition.key)
    // Unless its result may be there, what it takes files from is needed: now, beside what it stands on.
    const taken = mayHave ? undefined : this.#begin(this.#takeFrom(step))
    const on = isAlone ? undefined : await below
    const layers = on?.layers ?? []
    const key = { key: definition.key, below: isAlone ? ('any' as const) : keyOfLayers(layers) }
    const found = mayHave ? await this.#find(step, key, layers) : undefined
    if (found?.made !== undefined) return found.made

    const from = await (taken ?? this.#takeFrom(step))
    const all = await this.#look(step)
    const explanations = await this.#explanations
    explanations.note(step, { below: keyOfLayers(layers) })
    const inputs = on === undefined ? from : [on, ...from]
    const areDefined = inputs.every(({ asDefined }) => asDefined)
    const task = {
      step,
      layers,
      definition: areDefined ? key : undefined,
      content: contentKey(step, { layers, taken: all?.digest }),
      files: all?.digest,
      parents: inputs.flatMap(({ result }) => result ?? []),
      open: (origin: FileOrigin) => this.#open(origin),
      held: (done: StepResult) => this.#inputs.held(step, done),
    }
    const made = await this.#work.make(task, {
      signal: this.#signal,
      onMiss: (gone) => void this.#begin(this.#explain(step, definition.key, gone || found?.gone === true)),
      onBegin: (at) => this.#vertices.begin(definition.key, at),
      onOutput: (stream, data, at) => this.#vertices.output(definition.key, stream, data, at),
    })
    return { ...made, asDefined: made.asDefined && areDefined }
  }

  #mayHave(key: Digest): boolean {
    return this.#deps.cache.peek(key) !== undefined || this.#request.foreign?.mentions(key) === true
  }

  async #find(
    step: Step,
    key: { readonly key: Digest; readonly below: Digest | 'any' },
    layers: readonly Digest[],
  ): Promise<{ readonly made?: Made; readonly gone: boolean }> {
    const { lease, foreign } = this.#request
    const found = await this.#deps.cache.find(key, lease)
    if (found.type === 'hit') {
      const { id, layer, files } = found.result
      if (files !== undefined) (await this.#explanations).note(step, { files })
      const made = { layer, content: undefined, result: id, cached: true, asDefined: true }
      return { made, gone: false }
    }
    const record = await foreign?.find(key, layers, (kept) => lease.keep(kept), this.#signal)
    if (record === undefined || !(await this.#deps.cache.holds(undefined, record.layer, lease))) {
      return { gone: found.type === 'gone' }
    }
    const { layer, content } = record
    const made = { layer, content, result: undefined, cached: true, asDefined: true }
    return { made, gone: false }
  }

  #takeFrom(step: Step): Promise<Solved[]> {
    return Promise.all(takenFilesystems(step).map((node) => this.#resolve(node)))
  }

  #define(step: Step): Promise<Definition> {
    let defining = this.#defining.get(step)
    if (defining === undefined) {
      defining = this.#begin(this.#announce(step))
      this.#defining.set(step, defining)
    }
    return defining
  }

  /** Its definition, when it has been shown. */
  async #announce(step: Step): Promise<Definition> {
    const definition = await this.#definitions.of(step)
    const { key, taken } = definition
    const inputs = await Promise.all(
      [step.on, ...takenFilesystems(step)].map((node) => this.#definitions.of(node)),
    )
    const explanations = await this.#explanations
    explanations.note(step, { definition: key })
    if (taken !== undefined) explanations.noteTaken(step, taken)
    this.#vertices.add(
      key,
      step,
      inputs.map((input) => input.key),
    )
    return definition
  }

  /** All that the step takes: what it takes it from is there. */
  async #look(step: Step): Promise<Taken | undefined> {
    try {
      const taken = await this.#inputs.of(step, 'all')
      if (taken !== undefined) (await this.#explanations).noteTaken(step, taken)
      return taken
    } catch (error) {
      this.#signal.throwIfAborted()
      throw stepFailed(step, error, '')
    }
  }

  #cannotLook(step: Step, error: unknown): unknown {
    if (this.#signal.aborted) return this.#signal.reason
    const failure = stepFailed(step, error, '')
    this.#vertices.fail(step, plainMessage(failure))
    return failure
  }

  /** In the order in which steps were missed, though some need files to be compared. */
  async #explain(step: Step, vertex: Digest, gone: boolean): Promise<void> {
    const before = this.#explained
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#explained = promise
    try {
      const miss = await (await this.#explanations).explain(step, gone)
      await before
      this.#vertices.explain(vertex, miss)
    } finally {
      resolve()
    }
  }

  /** What was not needed, where the cache has it with all below: nothing is done for it. */
  async #resolveRest(): Promise<void> {
    for (const { step } of this.#reachable.steps) {
      const { key } = await this.#define(step)
      const isOnSolved = !isStep(step.on) || this.#resolving.has(step.on)
      if (isOnSolved && this.#deps.cache.peek(key) !== undefined) void this.#resolve(step)
    }
    await this.#ended()
  }

  /** What was not needed, because what was made from it is there. */
  async #skipRest(): Promise<void> {
    for (const { step } of this.#reachable.steps) {
      if (this.#resolving.has(step)) continue
      const { key } = await this.#define(step)
      const result = this.#deps.cache.peek(key)
      if (result !== undefined) this.#request.lease.use(result.id)
      this.#vertices.end(key, { cached: true })
    }
  }

  async #open(origin: FileOrigin): Promise<FileSource> {
    if (!isFilesystem(origin)) return this.#request.open(origin)
    const { layers } = await this.#resolve(origin)
    const name = isStep(origin)
      ? `stage ${origin.label.stage}`
      : origin.kind === 'image'
        ? origin.name
        : 'scratch'
    return this.#deps.openLayers(layers, name)
  }

  /** The build fails with the first of what is begun that fails. */
  #begin<T>(work: Promise<T>): Promise<T> {
    this.#begun.add(work)
    work.catch((error: unknown) => this.#fail(error))
    return work
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return
    const { signal } = this.#request
    this.#failure = { error: signal.aborted ? signal.reason : error }
    this.#abort.abort(this.#failure.error)
  }

  /** Resolves when all that was begun has ended, however it did. */
  async #ended(): Promise<void> {
    for (let size = -1; size !== this.#begun.size;) {
      size = this.#begun.size
      await Promise.allSettled(this.#begun)
    }
    await this.#work.idle()
  }
}
