/** Who asked for what: one row per request that changed something or was to. Never fails: what is done is done. */
import { type Logger, silentLogger } from '#base/logger.ts'
import type { Caller, RequestRow, RequestRows } from '#store/requests.ts'

export interface RequestJournalOptions {
  readonly rows: RequestRows
  readonly logger?: Logger
  /** The id of a container by any of its names; undefined when there is none. */
  readonly containerId: (ref: string) => string | undefined
  /** Requests kept. */
  readonly maxRequests?: number
}

/** What is known when a request arrives. */
export interface ArrivedRequest {
  readonly operation: string
  readonly path: string
  /** The container it names, or nothing. */
  readonly container: string | undefined
  readonly caller: Promise<Caller>
}

/** Told how it went; `object` is the id of what was made. */
export type Answered = (outcome: {
  readonly status: number
  readonly object?: string | undefined
}) => Promise<void>

const MAX_REQUESTS = 50_000
const TRIM_EVERY = 500

export class RequestJournal {
  readonly #options: RequestJournalOptions
  readonly #logger: Logger
  #written = 0

  constructor(options: RequestJournalOptions) {
    this.#options = options
    this.#logger = options.logger ?? silentLogger
  }

  /** Names mean what they do now: the request may remove the container, or rename it. */
  arrived({ operation, path, container, caller }: ArrivedRequest): Answered {
    const begun = now()
    const named = container === undefined ? '' : (this.#options.containerId(container) ?? '')
    return async ({ status, object }) => {
      const ended = now()
      const known = await caller
      this.#write({ begun, ended, operation, path, object: object ?? named, caller: known, status })
    }
  }

  /** Newest first. */
  about(containerId: string, limit: number): readonly RequestRow[] {
    return this.#options.rows.about(containerId, limit)
  }

  #write(row: RequestRow): void {
    const { rows, maxRequests = MAX_REQUESTS } = this.#options
    try {
      rows.append(row)
      this.#written += 1
      if (this.#written % TRIM_EVERY === 0) rows.trim(maxRequests)
    } catch (error) {
      this.#logger.error('journal of requests cannot be written', { error })
    }
  }
}

function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}
