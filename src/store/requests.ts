import type { Database } from './db.ts'

/** Who is at the other end of a connection, as far as the kernel or a certificate says. */
export type Caller =
  | {
      readonly kind: 'unix'
      readonly uid: number
      readonly pid: number
      /** Names of both, where they were known at the time. */
      readonly user?: string | undefined
      readonly command?: string | undefined
    }
  | { readonly kind: 'tls'; readonly subject: string; readonly address: string }
  | { readonly kind: 'tcp'; readonly address: string }
  | { readonly kind: 'unknown' }

/** A request that changed something, or was to. */
export interface RequestRow {
  /** Nanoseconds since the epoch. */
  readonly begun: bigint
  readonly ended: bigint
  /** Docker's operationId. */
  readonly operation: string
  readonly path: string
  /** Id of what it was about; empty when there is no one object. */
  readonly object: string
  readonly caller: Caller
  /** Of HTTP. */
  readonly status: number
}

interface StoredRequest {
  readonly begun: string
  readonly ended: string
  readonly operation: string
  readonly path: string
  readonly object: string
  readonly caller: string
  readonly status: number
}

const COLUMNS =
  'CAST(begun AS TEXT) AS begun, CAST(ended AS TEXT) AS ended, operation, path, object, caller, status'

/** The rows of the journal of requests. As with events, a power cut may lose the last few. */
export class RequestRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  append({ begun, ended, operation, path, object, caller, status }: RequestRow): void {
    this.#db.run(
      'INSERT INTO requests (begun, ended, operation, path, object, caller, status) VALUES (?, ?, ?, ?, ?, ?, ?)',
      [begun, ended, operation, path, object, JSON.stringify(caller), status],
    )
  }

  /** The last of that object, and of those that were about no one object; newest first. */
  about(object: string, limit: number): RequestRow[] {
    return this.#db
      .all<StoredRequest>(
        `SELECT * FROM (SELECT sequence, ${COLUMNS} FROM requests WHERE object = ? ORDER BY sequence DESC LIMIT ?)
         UNION ALL
         SELECT * FROM (SELECT sequence, ${COLUMNS} FROM requests WHERE object = '' ORDER BY sequence DESC LIMIT ?)
         ORDER BY sequence DESC`,
        [object, limit, limit],
      )
      .map(decode)
  }

  /** Keeps the newest so many. */
  trim(count: number): number {
    return this.#db.run('DELETE FROM requests WHERE sequence <= (SELECT max(sequence) FROM requests) - ?', [
      count,
    ])
  }
}

function decode({ begun, ended, operation, path, object, caller, status }: StoredRequest): RequestRow {
  return {
    begun: BigInt(begun),
    ended: BigInt(ended),
    operation,
    path,
    object,
    caller: JSON.parse(caller) as Caller,
    status,
  }
}
