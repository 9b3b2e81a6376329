import type { Clock } from '#base/clock.ts'
import type { Digest } from '#base/digest.ts'
import { Flights } from '#base/flights.ts'
import type { Slots } from '#base/slots.ts'
import type { BuildCache } from '#store/build-cache/build-cache.ts'
import type { Filesystem } from '../graph/operations.ts'
import type { FileSource } from '../sources/file-source.ts'
import type { FileSteps, StepRunner } from './ports.ts'
import { RecentInputs } from './recent-inputs.ts'
import { Solve } from './solve.ts'
import type { Solved, SolveRequest } from './solved.ts'
import { stepHistory, type StepMessage } from './step-messages.ts'

export interface SolverDeps {
  readonly runner: StepRunner
  readonly files: FileSteps
  readonly cache: BuildCache
  /** The files of a stage or an image; `name` for messages. */
  readonly openLayers: (layers: readonly Digest[], name: string) => Promise<FileSource>
  /** Steps that are done at the same time, by all builds together. */
  readonly slots: Slots
  readonly clock: Pick<Clock, 'now'>
}

/** What a step has come to. */
export interface Made {
  readonly layer: Digest | undefined
  /** Undefined when it was not needed to find it. */
  readonly content: Digest | undefined
  /** Undefined for what others have recorded. */
  readonly result: string | undefined
  readonly cached: boolean
  /** False when it took other files than its keys stand for: a directory that was read in place changed meanwhile. */
  readonly asDefined: boolean
}

export type StepFlights = Flights<undefined, StepMessage, Made>

/** What all builds have in common. */
export interface Shared {
  /** Steps under way. */
  readonly flights: StepFlights
  readonly recent: RecentInputs
}

/** Carries graphs of operations out: every step once, whoever needs it, and none that nobody needs. */
export class Solver {
  readonly #deps: SolverDeps
  readonly #shared: Shared = { flights: new Flights(stepHistory), recent: new RecentInputs() }

  constructor(deps: SolverDeps) {
    this.#deps = deps
  }

  /**
   * Makes the layers of the targets. The map has all that was needed for them, with every step below a target. Fails with the
   * error of the first step that fails, when the others have ended; with the signal's reason when it is aborted. A step that
   * another build waits for goes on, and this one with it, because the step uses what this build has opened.
   */
  async solve(
    targets: readonly Filesystem[],
    request: SolveRequest,
  ): Promise<ReadonlyMap<Filesystem, Solved>> {
    return new Solve(this.#deps, this.#shared, targets, request).run()
  }
}
