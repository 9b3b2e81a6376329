import type { Counter, Metrics } from '../metrics/metrics.ts'

export type CacheOutcome = 'hit' | 'miss' | 'stale'

/** What an upstream last said about how much may be pulled from it. */
export interface RateLimit {
  /** Pulls per window. */
  readonly limit: number | undefined
  readonly remaining: number | undefined
  /** Seconds of the window. */
  readonly window: number | undefined
  /** Milliseconds since the epoch. */
  readonly seen: number
}

/** How well a pull-through cache does its work. */
export class ProxyStatistics {
  readonly #requests: Counter
  readonly #fetched: Counter
  readonly #limits = new Map<string, RateLimit>()

  constructor(metrics: Metrics) {
    this.#requests = metrics.counter(
      'berth_registry_proxy_requests_total',
      'Requests to cached repositories: hit, miss (the upstream was asked) or stale (it was away).',
    )
    this.#fetched = metrics.counter(
      'berth_registry_proxy_fetched_bytes_total',
      'Bytes of blobs from upstreams.',
    )
    metrics.gauge(
      'berth_registry_proxy_pulls_remaining',
      'What the upstream lets us pull in its window.',
      () =>
        [...this.#limits].flatMap(([upstream, { remaining }]) =>
          remaining === undefined ? [] : [[{ upstream }, remaining] as const],
        ),
    )
  }

  manifest(result: CacheOutcome): void {
    this.#requests.add(1, { kind: 'manifest', result })
  }

  blob(result: CacheOutcome): void {
    this.#requests.add(1, { kind: 'blob', result })
  }

  fetched(bytes: number): void {
    this.#fetched.add(bytes)
  }

  /** Reads `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 98;w=21600` of an answer of `upstream`. */
  observe(upstream: string, header: (name: string) => string | undefined, now: number): void {
    const limit = header('ratelimit-limit')
    const remaining = header('ratelimit-remaining')
    if (limit === undefined && remaining === undefined) return
    this.#limits.set(upstream, {
      limit: numberOf(limit),
      remaining: numberOf(remaining),
      window: numberOf(/;\s*w=(\d+)/.exec(limit ?? remaining ?? '')?.[1]),
      seen: now,
    })
  }

  limits(): ReadonlyMap<string, RateLimit> {
    return this.#limits
  }
}

function numberOf(text: string | undefined): number | undefined {
  const [, digits] = /^\s*(\d{1,15})/.exec(text ?? '') ?? []
  return digits === undefined ? undefined : Number(digits)
}
