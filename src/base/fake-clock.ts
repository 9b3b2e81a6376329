import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from './clock.ts'

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

/** Time for tests: it stands still until it is told to pass. */
export class FakeClock implements Clock {
  #now: number
  readonly #sleepers = new Set<Sleeper>()

  constructor(now: Date = new Date('2026-01-02T03:04:05Z')) {
    this.#now = now.getTime()
  }

  now(): Date {
    return new Date(this.#now)
  }

  async sleep(
    milliseconds: number,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    signal?.throwIfAborted()
    if (milliseconds <= 0) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const sleeper = { until: this.#now + milliseconds, wake: resolve }
    const onAbort = (): void => reject(signal?.reason as Error)
    this.#sleepers.add(sleeper)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      this.#sleepers.delete(sleeper)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Milliseconds until each sleeper wakes, the next one first. */
  get sleeping(): readonly number[] {
    return [...this.#sleepers].map(({ until }) => until - this.#now).toSorted((a, b) => a - b)
  }

  /** Time passes; whoever has slept long enough wakes, in order, and gets to run. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds
    for (;;) {
      const [next] = [...this.#sleepers].toSorted((a, b) => a.until - b.until)
      if (next === undefined || next.until > end) break
      this.#now = Math.max(this.#now, next.until)
      this.#sleepers.delete(next)
      next.wake()
      await turn()
    }
    this.#now = end
    await turn()
  }
}
