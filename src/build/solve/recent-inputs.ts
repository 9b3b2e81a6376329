import type { CopyInputs } from './ports.ts'

/** Of how many files in all: some tens of megabytes. */
const MOST_FILES = 100_000

/** What steps took from files in a state that has been seen before: as long as the daemon runs, what was used last. */
export class RecentInputs {
  readonly #most: number
  readonly #known = new Map<string, CopyInputs>()
  #files = 0

  constructor(most = MOST_FILES) {
    this.#most = most
  }

  /** What was found out for the key, or what `look` finds out now. */
  async of(key: string, look: () => Promise<CopyInputs>): Promise<CopyInputs> {
    const known = this.#known.get(key)
    const inputs = known ?? (await look())
    this.#forget(key)
    if (inputs.files.length <= this.#most) this.#keep(key, inputs)
    return inputs
  }

  /** As the one that was used last. */
  #keep(key: string, inputs: CopyInputs): void {
    this.#known.set(key, inputs)
    this.#files += inputs.files.length + 1
    for (const oldest of this.#known.keys()) {
      if (this.#files <= this.#most + 1) return
      this.#forget(oldest)
    }
  }

  #forget(key: string): void {
    const known = this.#known.get(key)
    if (known === undefined) return
    this.#known.delete(key)
    this.#files -= known.files.length + 1
  }
}
