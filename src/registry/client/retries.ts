import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '#base/clock.ts'
import { engineErrorOf } from '#base/errors.ts'

export interface RetryPolicy {
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** The first one included. */
  readonly attempts: number
}

/** `always`: broken connections too; `status`: only what the registry itself puts off; `never`. */
export type RetryScope = 'always' | 'status' | 'never'

/** Milliseconds. */
const FIRST = 250
const LONGEST = 10_000
/** A registry that wants a longer rest is told on to the caller instead. */
const LONGEST_ASKED = 60_000

const transientStatus: readonly unknown[] = [408, 425, 429, 500, 502, 503, 504]
const transientCodes: readonly string[] = [
  'REGISTRY_UNREACHABLE',
  'REGISTRY_STALLED',
  'REGISTRY_CUT',
  'REGISTRY_CONNECTION_OLD',
]

/** Runs `operation` again while it fails in a way that may pass, with growing pauses of random length. */
export async function withRetries<T>(
  { clock, random, attempts }: RetryPolicy,
  scope: RetryScope,
  signal: AbortSignal | undefined,
  operation: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await operation()
    } catch (error) {
      const pause = pauseAfter(error, attempt, random)
      if (attempt >= limitFor(error, attempts) || pause === undefined || !isTransient(error, scope))
        throw error
      await clock.sleep(pause, { signal })
    }
  }
}

/** Some failures are less likely to pass than others. */
function limitFor(error: unknown, attempts: number): number {
  const limit = engineErrorOf(error)?.details['attempts']
  return typeof limit === 'number' ? Math.min(limit, attempts) : attempts
}

/** Whether the same request may succeed a moment later. */
export function isTransient(error: unknown, scope: RetryScope = 'always'): boolean {
  const known = engineErrorOf(error)
  if (known === undefined || scope === 'never') return false
  if (transientStatus.includes(known.details['status'])) return true
  return scope === 'always' && transientCodes.includes(known.code)
}

/** Undefined: longer than anybody would wait. */
export function pauseAfter(error: unknown, attempt: number, random: () => number): number | undefined {
  const asked = engineErrorOf(error)?.details['retryAfter']
  const grown = Math.min(LONGEST, FIRST * 2 ** (attempt - 1))
  const pause = grown / 2 + (random() * grown) / 2
  if (typeof asked !== 'number') return pause
  return asked > LONGEST_ASKED ? undefined : Math.max(asked, pause)
}

/**
 * Whether a 429 says that nothing is left of a limit of so long that nobody waits for it, as Docker Hub does:
 * `ratelimit-remaining: 0;w=21600`, with the window in seconds.
 */
export function isUsedUp(headers: IncomingHttpHeaders): boolean {
  const window = /^0;w=(\d{1,9})$/.exec(String(headers['ratelimit-remaining']))?.[1]
  return headers['retry-after'] === undefined && Number(window ?? 0) * 1000 > LONGEST_ASKED
}

/** `Retry-After` in milliseconds: seconds, or a date. RFC 9110 section 10.2.3. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
