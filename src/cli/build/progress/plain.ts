import type { BuildUpdate, CountUpdate, StepUpdate } from '#api/build-updates.ts'
import { stripVTControlCharacters } from 'node:util'
import { BuildState, elapsed, hasBegun, hasEnded, type LogLine, seconds, titleOf } from './build-state.ts'
import { countText } from './counts.ts'

/** Milliseconds that a step keeps the floor while others have something to say. */
const PATIENCE = 5000

/**
 * A build as lines that never change, in BuildKit's form: each begins with the number of its step. One step speaks at a
 * time; the others wait until it has ended, or has had the floor for five seconds.
 */
export class PlainProgress {
  readonly #state: BuildState
  readonly #speakers = new Map<string, Speaker>()
  #floor: { readonly speaker: Speaker; readonly since: number } | undefined
  #said = false

  constructor(state: BuildState) {
    this.#state = state
  }

  /** The text that an update brings; the state knows of it already, `lines` are those it has completed. */
  show(update: BuildUpdate, lines: readonly LogLine[], now: number): string {
    if (update.type === 'vertex') this.#vertex(update.id)
    else if (update.type === 'log') this.#speaker(update.vertex)?.say(...lines.map(logText))
    else if (update.type === 'status') this.#count(update, now)
    return this.tick(now)
  }

  /** What has waited long enough. */
  tick(now: number): string {
    let text = ''
    for (;;) {
      const { speaker, since } = this.#floor ?? { since: now }
      if (speaker !== undefined) {
        text += this.#take(speaker)
        if (speaker.ended) this.#floor = undefined
      }
      if (this.#floor !== undefined && now - since < PATIENCE) return text
      const next = [...this.#speakers.values()].find((each) => each !== speaker && each.hasNews)
      if (next === undefined) return text
      if (this.#floor !== undefined) text += `#${speaker!.number} ...\n`
      text += `${this.#said ? '\n' : ''}#${next.number} ${next.title}\n`
      this.#said = true
      this.#floor = { speaker: next, since: now }
    }
  }

  /** All that is left to say. */
  end(): string {
    for (const speaker of this.#speakers.values()) {
      if (!speaker.ended) speaker.say('CANCELED')
      speaker.ended = true
    }
    return this.tick(Infinity)
  }

  #take(speaker: Speaker): string {
    return speaker
      .take()
      .map((line) => `#${speaker.number} ${line}\n`)
      .join('')
  }

  #vertex(id: string): void {
    const step = this.#state.steps.get(id)
    if (step === undefined || !hasBegun(step.update)) return
    const speaker = this.#speaker(id)
    if (speaker === undefined || speaker.ended || !hasEnded(step.update)) return
    speaker.say(...step.flush().map(logText))
    for (const count of step.counts.values()) speaker.endCount(count)
    const { error, cached, completed } = step.update
    if (error !== undefined) speaker.say(`ERROR: ${reasonOf(step.update)}`)
    else if (cached === true) speaker.say('CACHED')
    else speaker.say(`DONE ${seconds(elapsed(step.update, Date.parse(completed ?? '')))}`)
    speaker.ended = true
  }

  #count(count: CountUpdate, now: number): void {
    const speaker = this.#speaker(count.vertex)
    if (speaker === undefined || speaker.ended) return
    if (count.completed === undefined) speaker.progress(count, now)
    else speaker.endCount(count)
  }

  /** Numbers are given in the order in which steps begin. */
  #speaker(id: string): Speaker | undefined {
    const known = this.#speakers.get(id)
    const step = this.#state.steps.get(id)
    if (known !== undefined || step === undefined) return known
    const speaker = new Speaker(this.#speakers.size + 1, titleOf(step.update))
    this.#speakers.set(id, speaker)
    return speaker
  }
}

/** A step that has begun, and what it has to say. */
class Speaker {
  readonly number: number
  readonly title: string
  ended = false
  #announced = false
  #waiting: string[] = []
  /** When a count was last told; Infinity once it has ended. */
  readonly #counts = new Map<string, number>()

  constructor(number: number, title: string) {
    this.number = number
    this.title = title
  }

  get hasNews(): boolean {
    return !this.#announced || this.#waiting.length > 0
  }

  say(...lines: readonly string[]): void {
    this.#waiting.push(...lines)
  }

  /** Counts that go on are told every five seconds. */
  progress(count: CountUpdate, now: number): void {
    const last = this.#counts.get(count.id)
    if (last !== undefined && now - last < PATIENCE) return
    this.#counts.set(count.id, now)
    if (last !== undefined) this.say(countText(count))
  }

  endCount(count: CountUpdate): void {
    if (this.#counts.get(count.id) === Infinity) return
    this.#counts.set(count.id, Infinity)
    this.say(`${countText(count)} done`)
  }

  take(): string[] {
    this.#announced = true
    return this.#waiting.splice(0)
  }
}

/** The first line, without the name of the step, which stands above. */
function reasonOf({ name, error = '' }: StepUpdate): string {
  const [first = ''] = error.split('\n', 1)
  return first.startsWith(name) ? first.slice(name.length).replace(/^ \(line \d+\): /, '') : first
}

function logText({ text, after }: LogLine): string {
  return `${(after / 1000).toFixed(3)} ${stripVTControlCharacters(text)}`
}
