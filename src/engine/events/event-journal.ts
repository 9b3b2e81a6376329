/**
 * Events: one durable, ordered journal. Subscribers have no queue of their own, only a position in it, so a slow one
 * costs nothing and loses nothing until the journal itself is trimmed past it; then it is told how much it missed.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { EventMessage } from '#api/generated/types.ts'
import { silentLogger } from '#base/logger.ts'
import type { Logger } from '#base/logger.ts'
import type { EventRow, EventRows } from '#store/events.ts'
import type { Cancellable, EventService, Filters } from '../services.ts'
import { matchesFilters } from './event-filter.ts'

export interface EventJournalOptions {
  readonly rows: EventRows
  readonly logger?: Logger
  /** Events kept; the oldest go first. */
  readonly maxEvents?: number
  /** Age in ms after which events are forgotten. */
  readonly maxAge?: number
  /** Nanoseconds since the epoch. */
  readonly now?: () => bigint
}

const MAX_EVENTS = 100_000
const MAX_AGE = 30 * 24 * 3600 * 1000
/** Events in memory, for subscribers that keep up. */
const RECENT = 1024
/** Rows read from the journal at once by one that does not. */
const PAGE = 256
/** Trimming happens once per so many events. */
const TRIM_EVERY = 1000
/** A clock that goes back by less (nanoseconds) is not followed, so that times keep the order of events. */
const SMALL_STEP = 1_000_000_000n
/** The longest that setTimeout can count, in ms. */
const MAX_TIMEOUT = 2 ** 31 - 1

export class EventJournal implements EventService {
  readonly #rows: EventRows
  readonly #logger: Logger
  readonly #maxEvents: number
  readonly #maxAge: number
  readonly #now: () => bigint
  #recent: EventRow[] = []
  #last: { readonly sequence: number; readonly time: bigint }
  readonly #readers = new Set<() => void>()

  constructor(options: EventJournalOptions) {
    this.#rows = options.rows
    this.#logger = options.logger ?? silentLogger
    this.#maxEvents = options.maxEvents ?? MAX_EVENTS
    this.#maxAge = options.maxAge ?? MAX_AGE
    this.#now = options.now ?? wallClock
    this.#last = this.#rows.last() ?? { sequence: 0, time: 0n }
  }

  /** Number of those that follow. */
  get followers(): number {
    return this.#readers.size
  }

  /**
   * Records an event; it is in the journal when this returns. Never fails: what has happened has happened. An event
   * that cannot be written (disk full) reaches live subscribers, and is a gap for those who come later.
   */
  publish(
    type: string,
    action: string,
    actorId: string,
    attributes: Readonly<Record<string, string>> = {},
  ): void {
    const now = this.#now()
    const { time: last } = this.#last
    const time = now <= last && last - now < SMALL_STEP ? last + 1n : now
    const row: EventRow = { sequence: this.#last.sequence + 1, time, type, action, actorId, attributes }
    this.#last = row
    this.#attempt(() => this.#rows.append(row))

    this.#recent.push(row)
    if (this.#recent.length > 2 * RECENT) this.#recent = this.#recent.slice(-RECENT)
    if (row.sequence % TRIM_EVERY === 0) this.#attempt(() => this.#trim())
    for (const wake of this.#readers) wake()
  }

  /** The last about that actor, newest first. */
  about(actorId: string, limit: number): readonly EventRow[] {
    return this.#rows.about(actorId, limit)
  }

  subscribe(
    options: {
      readonly since: bigint | undefined
      readonly until: bigint | undefined
      readonly filters: Filters
    } & Cancellable,
  ): AsyncIterable<EventMessage> {
    const { since, until } = options
    // The position is taken now, not when the caller begins to read.
    const start =
      since === undefined && until === undefined ? this.#last.sequence : this.#rows.before(since ?? 0n)
    return this.#read(start, options)
  }

  async *#read(
    start: number,
    {
      until,
      filters,
      signal,
    }: { readonly until: bigint | undefined; readonly filters: Filters } & Cancellable,
  ): AsyncGenerator<EventMessage> {
    let woken = Promise.withResolvers<void>()
    const wake = (): void => woken.resolve()
    this.#readers.add(wake)
    signal?.addEventListener('abort', wake)
    let timer: NodeJS.Timeout | undefined
    let position = start
    try {
      while (signal?.aborted !== true) {
        woken = Promise.withResolvers()
        const rows = this.#after(position)
        for (const row of rows) {
          if (until !== undefined && row.time > until) return
          if (row.sequence > position + 1) yield missed(row.sequence - position - 1, row.time)
          position = row.sequence
          if (matchesFilters(row, filters)) yield message(row)
        }
        if (rows.length > 0) {
          // A long past is read page by page, and others get their turn in between.
          if (rows.length === PAGE) await turn()
          continue
        }
        if (until !== undefined) {
          const left = until - this.#now()
          if (left <= 0n) return
          timer = setTimeout(wake, Math.min(Number(left / 1_000_000n) + 1, MAX_TIMEOUT))
        }
        await woken.promise
        clearTimeout(timer)
      }
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', wake)
      this.#readers.delete(wake)
    }
  }

  #after(position: number): readonly EventRow[] {
    if (position >= this.#last.sequence) return []
    const first = this.#recent[0]
    if (first === undefined || position + 1 < first.sequence) return this.#rows.after(position, PAGE)
    const from = position + 1 - first.sequence
    return this.#recent.slice(from, from + PAGE)
  }

  #attempt(write: () => void): void {
    try {
      write()
    } catch (error) {
      this.#logger.error('event journal cannot be written', { error })
    }
  }

  #trim(): void {
    const oldest = this.#last.time - BigInt(this.#maxAge) * 1_000_000n
    this.#rows.trim(Math.max(this.#last.sequence - this.#maxEvents, this.#rows.before(oldest)))
  }
}

/** Docker's document. `timeNano` is a bigint: it does not fit into a double. */
function message({ type, action, actorId, attributes, time }: Omit<EventRow, 'sequence'>): EventMessage {
  return {
    Type: type,
    Action: action,
    Actor: { ID: actorId, Attributes: attributes },
    scope: 'local',
    time: Number(time / 1_000_000_000n),
    timeNano: time,
  } as unknown as EventMessage
}

/** Tells a reader that it was slower than the journal is long. */
function missed(count: number, time: bigint): EventMessage {
  return message({
    type: 'daemon',
    action: 'events_lost',
    actorId: '',
    attributes: { count: String(count) },
    time,
  })
}

function wallClock(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}
