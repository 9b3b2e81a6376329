import type { ProgressMessage } from '#client/images.ts'
import { humanSize } from './units.ts'

type Verb = 'pull' | 'push'

interface Layer {
  readonly done: boolean
  /** Bytes that came, or went. */
  readonly bytes: number
  readonly total: number
}

const done: ReadonlySet<string> = new Set([
  'Pull complete',
  'Already exists',
  'Pushed',
  'Layer already exists',
])
const moved: ReadonlySet<string> = new Set(['Verifying Checksum', 'Download complete', 'Extracting'])
const moving: ReadonlySet<string> = new Set(['Downloading', 'Pushing'])
const begun: ReadonlySet<string> = new Set(['Pulling fs layer', 'Waiting', 'Preparing'])

/** How far a pull or push has come, for whoever interrupts it. */
export class ProgressTally {
  readonly #layers = new Map<string, Layer>()

  add({ id, status = '', progressDetail }: ProgressMessage): void {
    if (id === undefined) return
    const before = this.#layers.get(id) ?? { done: false, bytes: 0, total: 0 }
    const { current = 0, total = before.total } = progressDetail ?? {}
    if (done.has(status) || status.startsWith('Mounted from')) this.#layers.set(id, { ...before, done: true })
    else if (moving.has(status)) this.#layers.set(id, { done: false, bytes: current, total })
    else if (moved.has(status)) this.#layers.set(id, { ...before, bytes: before.total })
    else if (begun.has(status)) this.#layers.set(id, before)
  }

  /** What an interruption leaves, and what is next. */
  afterInterrupt(verb: Verb): string {
    const layers = [...this.#layers.values()]
    const complete = layers.filter((layer) => layer.done).length
    const partial = layers.filter((layer) => !layer.done && layer.bytes > 0)
    if (complete === 0 && partial.length === 0) return `Interrupted before anything was ${words[verb].done}.`
    const bytes = partial.reduce((sum, layer) => sum + layer.bytes, 0)
    const layersDone = `${complete} of ${layers.length} layers`
    const rest = partial.length === 0 ? '' : ` and ${humanSize(bytes)} of ${partial.length} more`
    return `Interrupted. ${words[verb].kept}: ${layersDone}${rest}.\nThe next ${verb} goes on from there.`
  }
}

const words = {
  pull: { done: 'fetched', kept: 'Kept here' },
  push: { done: 'sent', kept: 'With the registry' },
} as const
