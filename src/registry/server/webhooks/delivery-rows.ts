import type { Database } from '#store/db.ts'

export type DeliveryState = 'pending' | 'delivered' | 'failed' | 'dropped'

/** A notification to one endpoint. Times are milliseconds. */
export interface Delivery {
  readonly sequence: number
  readonly endpoint: string
  readonly eventId: string
  /** JSON of the event. */
  readonly event: string
  readonly state: DeliveryState
  readonly attempts: number
  readonly due: number
  readonly created: number
  readonly ended: number | null
  readonly status: number | null
  readonly error: string | null
}

/** How an attempt ended. */
export interface Outcome {
  readonly status: number | undefined
  readonly error: string | undefined
}

export class DeliveryRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  add(endpoint: string, eventId: string, event: string, now: number): void {
    this.#db.run(
      `INSERT INTO webhook_deliveries (endpoint, event_id, event, state, due, created)
       VALUES (?, ?, ?, 'pending', ?, ?)`,
      [endpoint, eventId, event, now, now],
    )
  }

  /** The oldest that waits; later ones wait for it, so that they arrive in order. */
  next(endpoint: string): Delivery | undefined {
    return this.#db.get<Delivery>(
      `${select} WHERE endpoint = ? AND state = 'pending' ORDER BY sequence LIMIT 1`,
      [endpoint],
    )
  }

  pending(endpoint: string): number {
    const row = this.#db.get<{ count: number }>(
      `SELECT count(*) AS count FROM webhook_deliveries WHERE endpoint = ? AND state = 'pending'`,
      [endpoint],
    )
    return row?.count ?? 0
  }

  /** Gives up the oldest that wait, so that at most `limit` do. */
  bound(endpoint: string, limit: number, now: number): number {
    return this.#db.run(
      `UPDATE webhook_deliveries SET state = 'dropped', ended = ?, error = 'the queue was full'
       WHERE sequence IN (SELECT sequence FROM webhook_deliveries WHERE endpoint = ? AND state = 'pending'
                          ORDER BY sequence DESC LIMIT -1 OFFSET ?)`,
      [now, endpoint, limit],
    )
  }

  end(sequence: number, state: DeliveryState, outcome: Outcome, now: number): void {
    this.#db.run(
      `UPDATE webhook_deliveries SET state = ?, attempts = attempts + 1, ended = ?, status = ?, error = ?
       WHERE sequence = ?`,
      [state, now, outcome.status ?? null, outcome.error ?? null, sequence],
    )
  }

  postpone(sequence: number, due: number, outcome: Outcome): void {
    this.#db.run(
      `UPDATE webhook_deliveries SET attempts = attempts + 1, due = ?, status = ?, error = ? WHERE sequence = ?`,
      [due, outcome.status ?? null, outcome.error ?? null, sequence],
    )
  }

  /** Keeps the newest `keep` that have ended, per endpoint, and forgets those of endpoints that are gone. */
  trim(endpoints: readonly string[], keep: number): void {
    this.#db.transaction(() => {
      for (const endpoint of endpoints) {
        this.#db.run(
          `DELETE FROM webhook_deliveries WHERE sequence IN (
             SELECT sequence FROM webhook_deliveries WHERE endpoint = ? AND state <> 'pending'
             ORDER BY sequence DESC LIMIT -1 OFFSET ?)`,
          [endpoint, keep],
        )
      }
      this.#db.run(`DELETE FROM webhook_deliveries WHERE endpoint NOT IN (SELECT value FROM json_each(?))`, [
        JSON.stringify(endpoints),
      ])
    })
  }

  /** The newest first; those below `before`, where it is given. */
  list(options: { readonly limit: number; readonly before?: number | undefined }): Delivery[] {
    return this.#db.all<Delivery>(`${select} WHERE sequence < ? ORDER BY sequence DESC LIMIT ?`, [
      options.before ?? Number.MAX_SAFE_INTEGER,
      options.limit,
    ])
  }
}

const select = `SELECT sequence, endpoint, event_id AS eventId, event, state, attempts, due, created, ended, status,
  error FROM webhook_deliveries`
