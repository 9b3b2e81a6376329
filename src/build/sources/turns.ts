import { setImmediate as turn } from 'node:timers/promises'

/** Milliseconds of synchronous work before others are let in. */
const SHARE = 4

/** Keeps long work out of many short synchronous steps from holding up everybody else. */
export class Turns {
  #since = performance.now()

  /** To be asked between steps; `undefined` while there is time left. */
  next(): Promise<void> | undefined {
    if (performance.now() - this.#since < SHARE) return undefined
    return this.#wait()
  }

  async #wait(): Promise<void> {
    await turn()
    this.#since = performance.now()
  }
}
