import { setTimeout as delay } from 'node:timers/promises'

/** The time, and waiting for it to pass; tests have one that passes when they say so. */
export interface Clock {
  now(): Date
  /** Resolves after so many milliseconds; rejects as soon as the signal is aborted, with its reason. */
  sleep(milliseconds: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
}

/** Node fires a longer timer at once. */
const LONGEST = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => new Date(),
  async sleep(milliseconds, { signal } = {}) {
    try {
      await delay(Math.min(milliseconds, LONGEST), undefined, signal === undefined ? {} : { signal })
    } catch (error) {
      // Node tells of the abort, and not of why.
      signal?.throwIfAborted()
      throw error
    }
  },
}

/** `true` when `work` settles within so many milliseconds; rejects as `work` does. Negative: there is no limit. */
export async function settlesWithin(
  clock: Clock,
  milliseconds: number,
  work: Promise<unknown>,
): Promise<boolean> {
  if (milliseconds < 0) return work.then(() => true)
  const over = new AbortController()
  const timer = clock.sleep(milliseconds, { signal: over.signal })
  try {
    return await Promise.race([work.then(() => true), timer.then(() => false)])
  } finally {
    timer.catch(() => undefined)
    over.abort()
  }
}
