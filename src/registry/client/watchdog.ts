import type { Clock } from '#base/clock.ts'

const SLICES = 4

/**
 * Notices when the other end has been silent for too long. Only what is waited for counts: a reader that takes its time
 * is no fault of the registry. One timer however many chunks pass.
 */
export class Watchdog implements Disposable {
  readonly #clock: Clock
  readonly #onStall: (limit: number) => void
  readonly #over = new AbortController()
  #limit = 0
  #waiting = false
  #turns = 0

  /** `onStall` is called once, with the limit in milliseconds. */
  constructor(clock: Clock, limit: number, onStall: (limit: number) => void) {
    this.#clock = clock
    this.#onStall = onStall
    this.wait(limit)
    void this.#watch()
  }

  /** From now on the other end has to do something within `limit` milliseconds. */
  wait(limit: number): void {
    this.#limit = limit
    this.#waiting = true
    this.#turns += 1
  }

  /** It is our turn. */
  rest(): void {
    this.#waiting = false
  }

  [Symbol.dispose](): void {
    this.#over.abort()
  }

  async #watch(): Promise<void> {
    let still = 0
    while (still < SLICES) {
      const turns = this.#turns
      try {
        await this.#clock.sleep(this.#limit / SLICES, { signal: this.#over.signal })
      } catch {
        return // disposed
      }
      still = this.#waiting && turns === this.#turns ? still + 1 : 0
    }
    this.#onStall(this.#limit)
  }
}
