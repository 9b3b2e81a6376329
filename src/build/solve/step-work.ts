import { randomUUID } from 'node:crypto'
import { type Digest, digestOf } from '#base/digest.ts'
import { engineErrorOf } from '#base/errors.ts'
import type { FlightControl } from '#base/flights.ts'
import type { ResultKey } from '#store/build-cache/result-rows.ts'
import type { FileOrigin } from '../graph/operations.ts'
import type { FileSource } from '../sources/file-source.ts'
import type { Step } from './keys.ts'
import { LastLines } from './last-lines.ts'
import type { StepResult } from './ports.ts'
import type { SolveRequest } from './solved.ts'
import type { Made, SolverDeps, StepFlights } from './solver.ts'
import { layerLost, stepFailed } from './step-error.ts'
import type { StepMessage } from './step-messages.ts'

/** A step of which everything is known. */
export interface Task {
  readonly step: Step
  /** Of what it stands on, bottom first; none where they do not matter. */
  readonly layers: readonly Digest[]
  /** Undefined: something below took other files than its definition says, so nothing may be found by this one. */
  readonly definition: ResultKey | undefined
  readonly content: Digest
  /** Of the list of files it takes. */
  readonly files: Digest | undefined
  /** Ids of the results it is made from. */
  readonly parents: readonly string[]
  readonly open: (origin: FileOrigin) => Promise<FileSource>
  /** Whether what was done took the files that the keys stand for. */
  readonly held: (done: StepResult) => Promise<boolean>
}

export interface TaskWatch {
  readonly signal: AbortSignal
  /** The step has to be done. */
  readonly onMiss: (gone: boolean) => void
  readonly onBegin: (at: string) => void
  readonly onOutput: (stream: 1 | 2, data: Uint8Array, at: string) => void
}

/** Does the steps of one build, or waits for another build that does the same. */
export class StepWork {
  readonly #deps: SolverDeps
  readonly #flights: StepFlights
  readonly #request: SolveRequest
  readonly #begun = new Set<Promise<unknown>>()

  constructor(deps: SolverDeps, flights: StepFlights, request: SolveRequest) {
    this.#deps = deps
    this.#flights = flights
    this.#request = request
  }

  /** What the step has made: found, made now, or made by another build meanwhile. Its layer is kept by the build's lease. */
  async make(task: Task, watch: TaskWatch): Promise<Made> {
    const { step, content } = task
    const key = step.label.uncached ? `${this.#request.id} ${content}` : content
    for (let again = false; ;) {
      const output = new LastLines()
      let own = false
      try {
        const passenger = {
          context: undefined,
          signal: watch.signal,
          report: (message: StepMessage) => tell(message, watch, output),
        }
        const made = await this.#flights.join(key, passenger, (control) => {
          own = true
          return this.#track(this.#perform(task, control))
        })
        if (own || (made.asDefined && (await this.#takeOver(task, made)))) return made
        if (again && made.asDefined) throw layerLost(step)
      } catch (error) {
        watch.signal.throwIfAborted()
        // What another build lacked, a secret or a file, need not be lacking here.
        const isMine = own || again || engineErrorOf(error)?.code === 'BUILD_RUN_FAILED'
        if (isMine) throw stepFailed(step, error, String(output))
      }
      again = true
    }
  }

  /** Resolves when every step that was begun here has ended, also those that only others still wait for. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#begun)
  }

  async #takeOver({ definition }: Task, { layer, result }: Made): Promise<boolean> {
    const { cache } = this.#deps
    const isThere = await cache.holds(result, layer, this.#request.lease)
    if (isThere && result !== undefined && definition !== undefined) cache.link(result, definition)
    return isThere
  }

  async #perform(task: Task, control: FlightControl<undefined, StepMessage>): Promise<Made> {
    const { step, content } = task
    const { slots, clock } = this.#deps
    const found = step.label.uncached ? undefined : await this.#find(task, control.signal)
    if (found?.made !== undefined) return found.made
    control.report({ type: 'miss', gone: found?.gone ?? false })
    using _slot = await slots.acquire({ signal: control.signal })
    control.report({ type: 'begin', at: clock.now().toISOString() })
    for (let again = false; ; again = true) {
      const done = await this.#execute(task, control)
      const asDefined = await task.held(done)
      const { layer } = done
      const result = await this.#record(asDefined ? task : adrift(task), layer)
      if (result !== undefined) return { layer, content, result, cached: false, asDefined }
      if (again) throw layerLost(step)
    }
  }

  async #find(task: Task, signal: AbortSignal): Promise<{ readonly made?: Made; readonly gone: boolean }> {
    const { content, definition, layers } = task
    const { lease, foreign } = this.#request
    const key = { key: content, below: '' } as const
    const found = await this.#deps.cache.find(key, lease)
    if (found.type === 'hit') {
      const { id, layer } = found.result
      if (definition !== undefined) this.#deps.cache.link(id, definition)
      return { made: { layer, content, result: id, cached: true, asDefined: true }, gone: false }
    }
    const record = await foreign?.find(key, layers, (kept) => lease.keep(kept), signal)
    if (record === undefined) return { gone: found.type === 'gone' }
    const { layer } = record
    const isThere = await this.#deps.cache.holds(undefined, layer, lease)
    const made = { layer, content, result: undefined, cached: true, asDefined: true }
    return isThere ? { made, gone: false } : { gone: false }
  }

  #execute(
    { step, layers, open }: Task,
    control: FlightControl<undefined, StepMessage>,
  ): Promise<StepResult> {
    const { runner, files, clock } = this.#deps
    const ready = { layers, open, signal: control.signal }
    const onOutput = (stream: 1 | 2, data: Uint8Array): void =>
      control.report({ type: 'output', stream, data, at: clock.now().toISOString() })
    const note = (line: string): void => onOutput(2, Buffer.from(`${line}\n`))
    if (step.kind === 'copy') return files.copy({ ...ready, step }, note)
    if (step.kind === 'directory') return files.directory({ ...ready, step }, note)
    return runner.run({ ...ready, step }, { onOutput, secrets: this.#request.secrets })
  }

  /** The id of the result; undefined when its layer has gone meanwhile. */
  async #record(task: Task, layer: Digest | undefined): Promise<string | undefined> {
    const { cache } = this.#deps
    const { lease } = this.#request
    const { step, content, definition, files, parents } = task
    const { name, stage, instruction } = step.label
    if (layer !== undefined) await lease.keep([layer])
    try {
      const made = { layer, content, definition, files, parents, name, stage, instruction }
      const id = await cache.record(made)
      if (id !== undefined) lease.use(id)
      return id
    } catch (error) {
      if (layer !== undefined) await cache.abandon(layer)
      throw error
    }
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#begun.add(work)
    return work
  }
}

/** The same step as a result that no key leads to: of what it was made is not known, but it is there to be removed. */
function adrift(task: Task): Task {
  return { ...task, definition: undefined, content: digestOf(randomUUID()) }
}

function tell(message: StepMessage, watch: TaskWatch, output: LastLines): void {
  switch (message.type) {
    case 'miss':
      watch.onMiss(message.gone)
      return
    case 'begin':
      watch.onBegin(message.at)
      return
    case 'output':
      output.add(message.data)
      watch.onOutput(message.stream, message.data, message.at)
  }
}
