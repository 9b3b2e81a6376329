import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '#base/clock.ts'
import { FakeClock } from '#base/fake-clock.ts'

const HOUR = 3_600_000

/** Pauses between attempts pass at once and are written down; whoever waits for hours is one that watches, and waits. */
export class PauseClock implements Clock {
  readonly pauses: number[] = []
  readonly #time = new FakeClock()

  now(): Date {
    return this.#time.now()
  }

  async sleep(
    milliseconds: number,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    if (milliseconds >= HOUR) return this.#time.sleep(milliseconds, options)
    options.signal?.throwIfAborted()
    this.pauses.push(milliseconds)
    await turn()
  }
}

/** So that a `PauseClock` can tell watchers. */
export const watchedForHours = { connect: 8 * HOUR, stall: 8 * HOUR, answer: 8 * HOUR } as const
