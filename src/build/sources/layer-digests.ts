import { type Digest, digestOf } from '#base/digest.ts'

/** Sets of layers whose digests are kept, and of how many files in all: some tens of megabytes. */
const MOST_SETS = 32
const MOST_FILES = 200_000

/** Digests of files in layers, which never change: as long as the daemon runs, and for what was used last. */
export class LayerDigests {
  readonly #sets = new Map<Digest, Map<string, Digest>>()

  /** Digests by path of what these layers amount to. */
  of(layers: readonly Digest[]): Map<string, Digest> {
    const key = digestOf(layers.join())
    const known = this.#sets.get(key) ?? new Map<string, Digest>()
    // The one that was used last comes last.
    this.#sets.delete(key)
    this.#sets.set(key, known)
    this.#shrink()
    return known
  }

  #shrink(): void {
    let files = 0
    for (const { size } of this.#sets.values()) files += size
    for (const [key, { size }] of this.#sets) {
      if (this.#sets.size <= 1 || (this.#sets.size <= MOST_SETS && files <= MOST_FILES)) return
      this.#sets.delete(key)
      files -= size
    }
  }
}
