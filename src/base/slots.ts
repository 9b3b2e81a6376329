import { abortable } from './mutex.ts'

/** A number of places that are taken and given back; who waits gets one in the order of asking. */
export class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  get available(): boolean {
    return this.#free > 0
  }

  async acquire(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Disposable> {
    options.signal?.throwIfAborted()
    if (this.#free > 0) this.#free--
    else await this.#wait(options.signal)
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release()
        held = false
      },
    }
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    try {
      await abortable(promise, signal)
    } catch (error) {
      const at = this.#waiting.indexOf(resolve)
      if (at === -1) this.#release()
      else this.#waiting.splice(at, 1)
      throw error
    }
  }

  #release(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
