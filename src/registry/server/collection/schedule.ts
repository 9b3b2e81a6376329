import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'

/** Does `work` every `interval` milliseconds until the signal is aborted; a failure is logged, and the next one comes. */
export async function every(
  interval: number,
  work: (signal: AbortSignal) => Promise<void>,
  deps: { readonly name: string; readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  if (interval <= 0) return
  while (!signal.aborted) {
    try {
      await deps.clock.sleep(interval, { signal })
      await work(signal)
    } catch (error) {
      if (signal.aborted) return
      deps.logger.error(`${deps.name} failed`, { error })
    }
  }
}
