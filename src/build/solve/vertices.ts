import { type Digest, digestOf } from '#base/digest.ts'
import type { BaseImage } from '../graph/operations.ts'
import type { CacheMiss, Report } from '../progress/progress.ts'
import { fieldsOf, keyOfImage, type Step } from './keys.ts'

type State = 'known' | 'begun' | 'done'

/** Shows the steps of one build. Each is there before anything is told about it, and is done once. */
export class Vertices {
  readonly #report: Report
  readonly #now: () => string
  readonly #names = new Map<
    Digest,
    { readonly name: string; readonly inputs: readonly Digest[]; readonly stage: string }
  >()
  readonly #states = new Map<Digest, { readonly state: State; readonly started?: string }>()

  constructor(report: Report, now: () => string) {
    this.#report = report
    this.#now = now
  }

  /** A step that may be needed. */
  add(id: Digest, step: Step, inputs: readonly Digest[]): void {
    if (this.#states.has(id)) return
    const { name, stage } = step.label
    this.#names.set(id, { name, stage, inputs: [...new Set(inputs)] })
    this.#set(id, { state: 'known' })
  }

  /** An image that steps stand on: it was there before. */
  image(image: BaseImage): void {
    if (image.label === undefined) return
    const { name, stage } = image.label
    const [id, at] = [keyOfImage(image), this.#now()]
    this.#report({
      type: 'vertex',
      id,
      name,
      inputs: [],
      ...(stage === undefined ? {} : { stage }),
      started: at,
      completed: at,
      cached: true,
    })
  }

  begin(id: Digest, started: string): void {
    if (this.#states.get(id)?.state === 'known') this.#set(id, { state: 'begun', started })
  }

  output(id: Digest, stream: 1 | 2, data: Uint8Array, at: string): void {
    this.#report({ type: 'log', vertex: id, stream, data, at })
  }

  explain(id: Digest, miss: CacheMiss): void {
    this.#report({ type: 'explanation', vertex: id, miss })
  }

  end(id: Digest, how: { readonly cached?: boolean; readonly error?: string } = {}): void {
    const { state, started = this.#now() } = this.#states.get(id) ?? {}
    if (state === 'done') return
    this.#set(id, { state: 'done', started }, how)
  }

  /** A step that failed before it was known what it is. */
  fail(step: Step, error: string): void {
    const id = digestOf(`${step.label.name} ${fieldsOf(step)}`)
    this.add(id, step, [])
    this.end(id, { error })
  }

  #set(
    id: Digest,
    now: { readonly state: State; readonly started?: string },
    how: { readonly cached?: boolean; readonly error?: string } = {},
  ): void {
    this.#states.set(id, now)
    const names = this.#names.get(id)
    if (names === undefined) return
    this.#report({
      type: 'vertex',
      id,
      ...names,
      ...(now.started === undefined ? {} : { started: now.started }),
      ...(now.state === 'done' ? { completed: this.#now() } : {}),
      ...(how.cached === true ? { cached: true } : {}),
      ...(how.error === undefined ? {} : { error: how.error }),
    })
  }
}
