/**
 * Tells others what happens to repositories. An event becomes one row per endpoint that wants it and is sent from
 * there, in order, so that it survives a restart and nobody who pushes waits for a receiver.
 */
import type { Clock } from '#base/clock.ts'
import { messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { abortable } from '#base/mutex.ts'
import type { Database } from '#store/db.ts'
import type { RegistryEvent } from '../events.ts'
import { type Delivery, DeliveryRows, type Outcome } from './delivery-rows.ts'
import { type WebhookEndpoint, wants } from './endpoint.ts'
import {
  envelope,
  NOTIFICATION_TYPE,
  notificationOf,
  type NotificationSource,
  SIGNATURE_HEADER,
  signatureOf,
} from './notification.ts'

/** Sends a notification; resolves to the status. */
export type Post = (
  url: URL,
  request: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
  signal: AbortSignal,
) => Promise<number>

export interface WebhookDeps {
  readonly db: Database
  readonly clock: Clock
  readonly logger: Logger
  readonly post?: Post
  readonly source: NotificationSource
  readonly endpoints: readonly WebhookEndpoint[]
}

/** Notifications that wait for one endpoint; the oldest are given up beyond. */
const MAX_PENDING = 10_000
/** Ended ones kept for the log, per endpoint. */
const KEPT = 1000
const FIRST_DELAY = 1000
const LONGEST_DELAY = 10 * 60_000

export class Webhooks {
  readonly #deps: WebhookDeps
  readonly #rows: DeliveryRows
  readonly #wakes = new Map<string, () => void>()
  #sinceTrim = 0

  constructor(deps: WebhookDeps) {
    this.#deps = deps
    this.#rows = new DeliveryRows(deps.db)
  }

  /** Queues the event; never throws and never waits for a receiver. */
  readonly listener = (event: RegistryEvent): void => {
    const wanted = this.#deps.endpoints.filter((endpoint) => wants(endpoint, event))
    if (wanted.length === 0) return
    try {
      this.#enqueue(event, wanted)
    } catch (error) {
      this.#deps.logger.error('notification could not be queued', { event: event.id, error })
    }
    for (const { name } of wanted) this.#wakes.get(name)?.()
  }

  /** The delivery log, the newest first. */
  deliveries(options: { readonly limit: number; readonly before?: number | undefined }): readonly Delivery[] {
    return this.#rows.list(options)
  }

  /** Notifications that wait, per endpoint. */
  pending(): ReadonlyMap<string, number> {
    return new Map(this.#deps.endpoints.map(({ name }) => [name, this.#rows.pending(name)]))
  }

  /** Sends until the signal is aborted; what has not been sent by then is sent by the next run. */
  async run(signal: AbortSignal): Promise<void> {
    this.#trim()
    await Promise.all(this.#deps.endpoints.map((endpoint) => this.#serve(endpoint, signal)))
  }

  #enqueue(event: RegistryEvent, endpoints: readonly WebhookEndpoint[]): void {
    const now = this.#deps.clock.now().getTime()
    const text = JSON.stringify(notificationOf(event, this.#deps.source))
    this.#deps.db.transaction(() => {
      for (const { name } of endpoints) {
        this.#rows.add(name, event.id, text, now)
        if (this.#rows.bound(name, MAX_PENDING, now) > 0) {
          this.#deps.logger.warn('notification given up: the queue is full', { endpoint: name })
        }
      }
    })
  }

  async #serve(endpoint: WebhookEndpoint, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const woken = Promise.withResolvers<void>()
      this.#wakes.set(endpoint.name, woken.resolve)
      try {
        const delivery = this.#rows.next(endpoint.name)
        if (delivery === undefined) await abortable(woken.promise, signal)
        else await this.#handle(delivery, endpoint, signal)
      } catch (error) {
        if (signal.aborted) return
        this.#deps.logger.error('notifications are stuck', { endpoint: endpoint.name, error })
        await this.#deps.clock.sleep(FIRST_DELAY, { signal }).catch(() => undefined)
      }
    }
  }

  async #handle(delivery: Delivery, endpoint: WebhookEndpoint, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps
    const wait = delivery.due - clock.now().getTime()
    if (wait > 0) await clock.sleep(wait, { signal })
    const outcome = await this.#attempt(delivery, endpoint, signal)
    const now = clock.now().getTime()
    if (outcome.error === undefined) {
      this.#rows.end(delivery.sequence, 'delivered', outcome, now)
    } else if (delivery.attempts + 1 >= endpoint.attempts) {
      this.#rows.end(delivery.sequence, 'failed', outcome, now)
      logger.warn('notification given up', { endpoint: endpoint.name, event: delivery.eventId, ...outcome })
    } else {
      const delay = Math.min(FIRST_DELAY * 2 ** delivery.attempts, LONGEST_DELAY)
      this.#rows.postpone(delivery.sequence, now + delay, outcome)
    }
    if (++this.#sinceTrim >= 100) this.#trim()
  }

  async #attempt(delivery: Delivery, endpoint: WebhookEndpoint, signal: AbortSignal): Promise<Outcome> {
    const body = envelope(delivery.event)
    const headers = {
      ...endpoint.headers,
      'Content-Type': NOTIFICATION_TYPE,
      'User-Agent': 'berth-registry',
      ...(endpoint.secret === undefined ? {} : { [SIGNATURE_HEADER]: signatureOf(body, endpoint.secret) }),
    }
    const limited = AbortSignal.any([signal, AbortSignal.timeout(endpoint.timeout)])
    try {
      const status = await (this.#deps.post ?? postByFetch)(endpoint.url, { headers, body }, limited)
      const accepted = status >= 200 && status < 300
      return { status, error: accepted ? undefined : `the endpoint answered ${status}` }
    } catch (error) {
      // Stopping is no failure of the endpoint: the row stays as it is.
      signal.throwIfAborted()
      return { status: undefined, error: causeOf(error) }
    }
  }

  #trim(): void {
    this.#sinceTrim = 0
    this.#rows.trim(
      this.#deps.endpoints.map(({ name }) => name),
      KEPT,
    )
  }
}

/** Follows no redirect: only the configured address gets the notification and its signature. */
const postByFetch: Post = async (url, { headers, body }, signal) => {
  const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal })
  await response.body?.cancel()
  return response.status
}

/** fetch() says "fetch failed" and keeps the reason one level down. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${messageOf(cause)}`
}
