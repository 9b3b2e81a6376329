import { StringDecoder } from 'node:string_decoder'
import type {
  BuildMiss,
  BuildUpdate,
  BuildWarning,
  CountUpdate,
  LogUpdate,
  StepUpdate,
} from '#api/build-updates.ts'

/** How many of the last lines of a step are remembered. */
const LINES = 10
/** UTF-16 units of a line. */
const LONGEST = 16 << 10

/** A line of output, and milliseconds since its step began. */
export interface LogLine {
  readonly text: string
  readonly after: number
}

/** What is known of a step: the last of its updates, and what belongs to it. */
export interface StepState {
  readonly update: StepUpdate
  /** By name, in the order they came. */
  readonly counts: ReadonlyMap<string, CountUpdate>
  /** The last lines. */
  readonly lines: readonly LogLine[]
  /** The line that is being written: a bar that goes on, or words that wait for their end. */
  readonly unfinished: string
}

/** A build as far as it is known. Whatever shows it, shows this. */
export class BuildState {
  /** In the order they came. */
  readonly steps = new Map<string, Step>()
  readonly warnings: BuildWarning[] = []
  readonly misses: BuildMiss[] = []

  /** The lines of output that the update completes. */
  add(update: BuildUpdate): readonly LogLine[] {
    switch (update.type) {
      case 'vertex':
        this.#step(update.id, update).update = update
        return []
      case 'status':
        this.#step(update.vertex).counts.set(update.id, update)
        return []
      case 'log':
        return this.#step(update.vertex).write(update)
      case 'warning':
        this.warnings.push(update.warning)
        return []
      case 'explanation':
        this.misses.push(update.miss)
        return []
      case 'instructions':
      case 'call':
      case 'result':
        return []
    }
  }

  /** The steps that have begun. */
  get begun(): Step[] {
    return [...this.steps.values()].filter(({ update }) => hasBegun(update))
  }

  #step(id: string, update?: StepUpdate): Step {
    const known = this.steps.get(id)
    if (known !== undefined) return known
    const unnamed = { type: 'vertex', id: id as StepUpdate['id'], name: '', inputs: [] } as const
    const step = new Step(update ?? unnamed)
    this.steps.set(id, step)
    return step
  }
}

class Step implements StepState {
  update: StepUpdate
  readonly counts = new Map<string, CountUpdate>()
  readonly lines: LogLine[] = []
  /** What stands after the last line feed, of each stream. */
  readonly #rest = { 1: '', 2: '' }
  readonly #decoders = { 1: new StringDecoder('utf8'), 2: new StringDecoder('utf8') }

  constructor(update: StepUpdate) {
    this.update = update
  }

  write({ stream, data, at }: LogUpdate): LogLine[] {
    const texts = (this.#rest[stream] + this.#decoders[stream].write(Buffer.from(data))).split('\n')
    const rest = visible(texts.pop() ?? '')
    // No end of a line for very long: not for people.
    if (rest.length > LONGEST) texts.push(rest)
    this.#rest[stream] = rest.length > LONGEST ? '' : rest
    return this.#keep(texts, Date.parse(at))
  }

  get unfinished(): string {
    return shown(this.#rest[1]) || shown(this.#rest[2])
  }

  /** What was written without a line feed at its end, once the step has ended. */
  flush(): LogLine[] {
    const texts = ([1, 2] as const)
      .map((stream) => this.#rest[stream] + this.#decoders[stream].end())
      .filter((text) => text !== '')
    this.#rest[1] = ''
    this.#rest[2] = ''
    return this.#keep(texts, Date.parse(this.update.completed ?? ''))
  }

  #keep(texts: readonly string[], at: number): LogLine[] {
    const began = Date.parse(this.update.started ?? '')
    const after = Number.isNaN(at - began) ? 0 : Math.max(0, at - began)
    const lines = texts.map((text) => ({ text: shown(text), after }))
    this.lines.push(...lines)
    this.lines.splice(0, this.lines.length - LINES)
    return lines
  }
}

export function hasBegun({ started, completed, cached }: StepUpdate): boolean {
  return started !== undefined || completed !== undefined || cached === true
}

export function hasEnded({ completed, cached, error }: StepUpdate): boolean {
  return completed !== undefined || cached === true || error !== undefined
}

/** Milliseconds that a step has taken, or takes so far. */
export function elapsed({ started, completed }: StepUpdate, now: number): number {
  if (started === undefined) return 0
  return Math.max(0, (completed === undefined ? now : Date.parse(completed)) - Date.parse(started))
}

/** `1.2s` */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)}s`
}

/** The name in one line. */
export function titleOf({ name, id }: StepUpdate): string {
  return (name === '' ? id : name).replaceAll(/\s+/g, ' ').trim()
}

/** Without what was overwritten already; a carriage return at the end may be half of a line's end. */
function visible(text: string): string {
  return text.slice(text.lastIndexOf('\r', text.length - 2) + 1)
}

/** As a terminal would have it in the end: what a carriage return has overwritten is gone. */
function shown(text: string): string {
  const line = text.replace(/\r+$/, '')
  return line.slice(line.lastIndexOf('\r') + 1)
}
