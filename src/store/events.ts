import type { Database } from './db.ts'

export interface EventRow {
  /** Dense and increasing over the life of the store. */
  readonly sequence: number
  /** Nanoseconds since the epoch. */
  readonly time: bigint
  readonly type: string
  readonly action: string
  readonly actorId: string
  readonly attributes: Readonly<Record<string, string>>
}

/** Times do not fit into a double and SQLite has no other number for us; they travel as text. */
interface StoredEvent {
  readonly sequence: number
  readonly time: string
  readonly type: string
  readonly action: string
  readonly actorId: string
  readonly attributes: string
}

const COLUMNS = 'sequence, CAST(time AS TEXT) AS time, type, action, actor_id AS actorId, attributes'

/** The rows of the event journal. Not synced to disk one by one: a crash loses none, a power cut the last few. */
export class EventRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  append(row: EventRow): void {
    this.#db.run(
      'INSERT INTO events (sequence, time, type, action, actor_id, attributes) VALUES (?, ?, ?, ?, ?, ?)',
      [row.sequence, row.time, row.type, row.action, row.actorId, JSON.stringify(row.attributes)],
    )
  }

  last(): EventRow | undefined {
    const row = this.#db.get<StoredEvent>(`SELECT ${COLUMNS} FROM events ORDER BY sequence DESC LIMIT 1`)
    return row === undefined ? undefined : decode(row)
  }

  /** Up to `limit` rows whose sequence is greater than `sequence`, in order. */
  after(sequence: number, limit: number): EventRow[] {
    return this.#db
      .all<StoredEvent>(`SELECT ${COLUMNS} FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?`, [
        sequence,
        limit,
      ])
      .map(decode)
  }

  /** The last about that actor, newest first. */
  about(actorId: string, limit: number): EventRow[] {
    return this.#db
      .all<StoredEvent>(`SELECT ${COLUMNS} FROM events WHERE actor_id = ? ORDER BY sequence DESC LIMIT ?`, [
        actorId,
        limit,
      ])
      .map(decode)
  }

  /** The sequence before the first event at or after `time`: a reader that starts there sees everything since. */
  before(time: bigint): number {
    const row = this.#db.get<{ sequence: number | null }>(
      'SELECT coalesce(min(sequence) - 1, (SELECT max(sequence) FROM events), 0) AS sequence FROM events WHERE time >= ?',
      [time],
    )
    return row?.sequence ?? 0
  }

  /** Forgets events up to and including `sequence`; returns how many. */
  trim(sequence: number): number {
    return this.#db.run('DELETE FROM events WHERE sequence <= ?', [sequence])
  }
}

function decode(row: StoredEvent): EventRow {
  return {
    ...row,
    time: BigInt(row.time),
    attributes: JSON.parse(row.attributes) as Record<string, string>,
  }
}
