import type { Digest } from '#base/digest.ts'

/** Keeps layers from the collector, also those without a row. */
export interface LayerPins {
  /** What is being removed already is gone when this resolves. Disposing lets go, and removes what was due meanwhile. */
  pin(layers: Iterable<Digest>): Promise<AsyncDisposable>
}

/**
 * What one build has of the cache and of the layers of others: nothing of it is removed until the build lets go. At its
 * disposal the results that were used count as used.
 */
export class BuildLease implements AsyncDisposable {
  readonly #pins: LayerPins
  readonly #ended: (lease: BuildLease) => void
  readonly #held = new AsyncDisposableStack()
  readonly #layers = new Map<Digest, Promise<void>>()
  readonly #results = new Set<string>()

  constructor(pins: LayerPins, ended: (lease: BuildLease) => void) {
    this.#pins = pins
    this.#ended = ended
  }

  /** Ids of the results that the build used or made. */
  get results(): ReadonlySet<string> {
    return this.#results
  }

  /** Keeps these layers. Whether they are there is to be asked afterwards. */
  async keep(layers: Iterable<Digest>): Promise<void> {
    await Promise.all(Array.from(layers, (layer) => this.#keep(layer)))
  }

  /** The result is not removed; its layer is to be kept besides. */
  use(result: string): void {
    this.#results.add(result)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended(this)
    await this.#held[Symbol.asyncDispose]()
  }

  #keep(layer: Digest): Promise<void> {
    let kept = this.#layers.get(layer)
    if (kept === undefined) {
      kept = this.#pins.pin([layer]).then((pin) => void this.#held.use(pin))
      this.#layers.set(layer, kept)
    }
    return kept
  }
}
