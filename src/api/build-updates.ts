/**
 * What a build tells its client, as berth's own stream has it (`POST /build?berth-progress=1`): one JSON object per line,
 * `{"berth.build": update}`. The terms are those of BuildKit's status stream; times are ISO 8601 in UTC.
 */
import type { Digest } from '#base/digest.ts'

export type BuildUpdate =
  | StepUpdate
  | CountUpdate
  | LogUpdate
  | { readonly type: 'instructions'; readonly instructions: readonly PlannedInstruction[] }
  | { readonly type: 'warning'; readonly vertex: Digest; readonly warning: BuildWarning }
  | { readonly type: 'explanation'; readonly vertex: Digest; readonly miss: BuildMiss }
  | { readonly type: 'call'; readonly text: string; readonly document: unknown; readonly status: number }
  | BuildOutcome

/** A step and what is known of it; comes again when it changes, the last one counts. */
export interface StepUpdate {
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

/** A part of a step's work that is counted. */
export interface CountUpdate {
  readonly type: 'status'
  readonly vertex: Digest
  readonly id: string
  readonly current: number
  readonly total?: number | undefined
  readonly started?: string | undefined
  readonly completed?: string | undefined
}

/** What the process of a step has written. */
export interface LogUpdate {
  readonly type: 'log'
  readonly vertex: Digest
  readonly stream: 1 | 2
  readonly data: Uint8Array
  readonly at: string
}

/** An instruction of a stage that is needed; `step` is the name of its vertex, undefined for metadata. */
interface PlannedInstruction {
  readonly text: string
  readonly step?: string | undefined
}

/** A finding of the build checks. */
export interface BuildWarning {
  readonly rule: string
  readonly message: string
  readonly description: string
  readonly range: { readonly start: Place; readonly end: Place }
  /** The lines in question with numbers, the ones meant marked. */
  readonly excerpt: string
}

/** Line and column from 1. */
interface Place {
  readonly line: number
  readonly column: number
}

/** Why a step was not taken from the cache. */
export interface BuildMiss {
  readonly step: string
  readonly line: number
  readonly reason: 'new' | 'disabled' | 'instruction' | 'argument' | 'file' | 'parent' | 'image' | 'evicted'
  /** What changed: a path, the name of an argument, the step below. */
  readonly subject?: string | undefined
  readonly before?: string | undefined
  readonly after?: string | undefined
  /** How many more of the same kind changed. */
  readonly more?: number | undefined
}

/** The last update of a build that went well. */
export interface BuildOutcome {
  readonly type: 'result'
  readonly id: string
  /** Undefined when no image was made. */
  readonly imageId?: string | undefined
  /** Of the manifest or index that was pushed or written. */
  readonly digest?: string | undefined
  readonly names: readonly string[]
  /** Indexes of the outputs that the client is to fetch. */
  readonly artifacts: readonly number[]
  /** As `--metadata-file` has it. */
  readonly metadata: Readonly<Record<string, unknown>>
}

/** Why the steps of an earlier build were done again. */
export interface BuildReasons {
  readonly id: string
  readonly name: string
  /** ISO 8601 in UTC. */
  readonly finished: string
  readonly steps: number
  readonly cached: number
  readonly misses: readonly BuildMiss[]
}

/** The line of an update. */
export function encodeUpdate(update: BuildUpdate): object {
  const plain =
    update.type === 'log' ? { ...update, data: Buffer.from(update.data).toString('base64') } : update
  return { [KEY]: plain }
}

/** The update in a parsed line; undefined when it is something else. */
export function decodeUpdate(line: unknown): BuildUpdate | undefined {
  if (typeof line !== 'object' || line === null || !(KEY in line)) return undefined
  const update = line[KEY] as BuildUpdate
  return update.type === 'log' ? { ...update, data: Buffer.from(String(update.data), 'base64') } : update
}

const KEY = 'berth.build'
