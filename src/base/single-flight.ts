import { abortable } from './mutex.ts'

/** One piece of work per key, however many ask while it runs; all get its result or its failure. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>()

  /** `signal` ends the caller's wait alone: the work goes on for the others, and for the cache. */
  async do(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    let running = this.#running.get(key)
    if (running === undefined) {
      running = work().finally(() => this.#running.delete(key))
      // A failure that nobody waits for any more is no unhandled one.
      running.catch(() => undefined)
      this.#running.set(key, running)
    }
    return abortable(running, signal)
  }

  /** Resolves when nothing runs; failures have been told to whoever asked. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running.values())
  }
}
