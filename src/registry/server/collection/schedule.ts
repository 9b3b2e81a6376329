import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'

/**
 * Does `work` every `interval` milliseconds until the signal is aborted, the first time after `first`; a failure is
 * logged, and the next one comes.
 */
export async function every(
  { interval, first = interval }: { readonly interval: number; readonly first?: number },
  work: (signal: AbortSignal) => Promise<void>,
  deps: { readonly name: string; readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  if (interval <= 0) return
  for (let wait = first; !signal.aborted; wait = interval) {
    try {
      await deps.clock.sleep(wait, { signal })
      await work(signal)
    } catch (error) {
      if (signal.aborted) return
      deps.logger.error(`${deps.name} failed`, { error })
    }
  }
}
