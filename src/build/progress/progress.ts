/**
 * What a build tells while it goes on, in the terms of BuildKit's status stream (vertex, status, log, warning), so that
 * every front can show it: our command line, Docker's classic stream, and BuildKit's own protocol.
 */
import type { Digest } from '#base/digest.ts'
import type { Warning } from '../dockerfile/lint.ts'

/** All times are ISO 8601 in UTC. */
export type BuildProgress =
  /** A step and what is known of it; comes again when it changes, the last one counts. */
  | {
      readonly type: 'vertex'
      readonly id: Digest
      readonly name: string
      readonly inputs: readonly Digest[]
      readonly stage?: string | undefined
      readonly started?: string | undefined
      readonly completed?: string | undefined
      readonly cached?: boolean | undefined
      readonly error?: string | undefined
    }
  /** A part of a step's work that can be counted: `transferring context`, a layer being fetched. */
  | {
      readonly type: 'status'
      readonly vertex: Digest
      readonly id: string
      readonly current: number
      readonly total?: number | undefined
      readonly started?: string | undefined
      readonly completed?: string | undefined
    }
  /** What a RUN has written. */
  | {
      readonly type: 'log'
      readonly vertex: Digest
      readonly stream: 1 | 2
      readonly data: Uint8Array
      readonly at: string
    }
  | { readonly type: 'warning'; readonly vertex: Digest; readonly warning: Warning }
  /**
   * Once, before the first step, for fronts that number instructions: those of the stages that are needed, in their order.
   * `step` is the name of the vertex (`StepLabel.name`); undefined for what is metadata alone.
   */
  | {
      readonly type: 'instructions'
      readonly instructions: readonly { readonly text: string; readonly step?: string | undefined }[]
    }
  /** Why a step was not taken from the cache. */
  | { readonly type: 'explanation'; readonly vertex: Digest; readonly miss: CacheMiss }

export type Report = (progress: BuildProgress) => void

/** The one reason why a step was done again. */
export interface CacheMiss {
  readonly step: string
  readonly line: number
  readonly reason:
    /** Nothing like it was built before. */
    | 'new'
    /** `--no-cache` and its like. */
    | 'disabled'
    | 'instruction'
    | 'argument'
    | 'file'
    /** The step below was done again, or the base image is another one. */
    | 'parent'
    | 'image'
    /** Its result was removed since. */
    | 'evicted'
  /** What changed: a path, the name of an argument, the step below. */
  readonly subject?: string | undefined
  readonly before?: string | undefined
  readonly after?: string | undefined
  /** How many more of the same kind changed. */
  readonly more?: number | undefined
}
