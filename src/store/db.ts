/**
 * The daemon's state: one SQLite file in WAL mode, used synchronously. A commit survives a crash of the daemon at
 * once, and a power cut after `durable()`. Each kind of row has its own file beside this one.
 */
import { closeSync, existsSync, openSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { EngineError, messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { migrations as registered } from './migrations/migrations.ts'
import { Ballast } from './ballast.ts'
import { applyMigrations, type Migration } from './migrations/migration.ts'

/** What SQLite stores. Booleans are 0 and 1; integers beyond 2^53 are bound as bigint and must be read as text. */
type SqlValue = null | number | bigint | string | Uint8Array
export type SqlParams = readonly SqlValue[] | Readonly<Record<string, SqlValue>>

export interface DatabaseOptions {
  readonly logger: Logger
  /** For tests of the migrations themselves; everybody else gets all of them. */
  readonly migrations?: readonly Migration[] | undefined
}

interface Urgency {
  readonly urgent?: boolean
}

/** Milliseconds to wait for another process (a `sqlite3` shell) to let go of the file. */
const BUSY_TIMEOUT = 5000

/**
 * Opens or creates the database at `path` (`:memory:` for tests) and brings it to the newest schema.
 * Throws `data_loss` for a damaged file and `unavailable` for one that cannot be opened; both name the file.
 */
export function openDatabase(path: string, options: DatabaseOptions): Database {
  return new Database(path, options)
}

export class Database implements AsyncDisposable {
  readonly path: string
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #log: WriteAheadLog | undefined
  readonly #ballast: Ballast | undefined
  #depth = 0

  constructor(path: string, options: DatabaseOptions) {
    this.path = path
    const inMemory = path === ':memory:'
    this.#ballast = inMemory ? undefined : new Ballast(`${path}-ballast`, options.logger)
    try {
      // SQLite would create it readable by everybody; the -wal and -shm files take over its mode.
      if (!inMemory && !existsSync(path)) closeSync(openSync(path, 'a', 0o600))
      this.#db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT })
    } catch (error) {
      throw databaseError(path, error) ?? cannotOpen(path, error)
    }
    try {
      this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON')
      this.#check()
      const applied = this.transaction(() => applyMigrations(this, options.migrations ?? registered))
      if (applied.length > 0) options.logger.info('database migrated', { path, applied })
    } catch (error) {
      this.#statements.clear()
      this.#db.close()
      throw error instanceof EngineError ? error : (databaseError(path, error) ?? cannotOpen(path, error))
    }
    this.#log = inMemory ? undefined : new WriteAheadLog(path, () => this.#written())
  }

  /**
   * Runs `work` in one transaction: all of its changes, or (when it throws) none. A transaction inside another one
   * is a savepoint. A callback that returns a promise does not compile: nothing may be awaited inside.
   */
  transaction<T>(
    work: () => T extends PromiseLike<unknown> ? never : T,
    { urgent = false }: Urgency = {},
  ): T {
    return this.#makingRoom(urgent, () => this.#transact<T>(work))
  }

  #transact<T>(work: () => T): T {
    const [begin, commit, rollback] = this.#depth === 0 ? outermost : nested
    this.exec(begin)
    this.#depth++
    let committed = false
    try {
      const result: T = work()
      this.exec(commit)
      committed = true
      return result
    } finally {
      this.#depth--
      // SQLite itself has rolled back already after some errors (disk full, for one).
      if (!committed && this.#db.isTransaction) this.exec(rollback)
    }
  }

  /**
   * Runs one statement and tells how many rows it changed. An `urgent` one, which ends or removes something, may use the
   * space that is kept for a full disk.
   */
  run(sql: string, params: SqlParams = [], { urgent = false }: Urgency = {}): number {
    const write = (): number => {
      const statement = this.#prepare(sql)
      const result = isList(params) ? statement.run(...params) : statement.run(params)
      return Number(result.changes)
    }
    return this.#makingRoom(urgent, () => this.#guard(write))
  }

  /** The first row, or undefined. `Row` is what the caller knows about the columns; nothing checks it. */
  get<Row>(sql: string, params: SqlParams = []): Row | undefined {
    return this.#guard(() => {
      const statement = this.#prepare(sql)
      return (isList(params) ? statement.get(...params) : statement.get(params)) as Row | undefined
    })
  }

  /** All rows. */
  all<Row>(sql: string, params: SqlParams = []): Row[] {
    return this.#guard(() => {
      const statement = this.#prepare(sql)
      return (isList(params) ? statement.all(...params) : statement.all(params)) as Row[]
    })
  }

  /** Runs a script without parameters. */
  exec(sql: string): void {
    this.#guard(() => this.#db.exec(sql))
  }

  /**
   * Resolves once everything committed before the call survives a power cut. Concurrent callers share one sync; when
   * nothing was written since the last one, there is none.
   */
  async durable(): Promise<void> {
    await this.#log?.sync()
  }

  /** Rows that this connection has written, ever. */
  #written(): number {
    if (!this.#db.isOpen) return Number.NaN
    return this.get<{ rows: number }>('SELECT total_changes() AS rows')?.rows ?? Number.NaN
  }

  /** Waits for running syncs and closes the file. Idempotent. */
  async close(): Promise<void> {
    if (!this.#db.isOpen) return
    this.#statements.clear()
    await this.#log?.close()
    if (this.#db.isOpen) this.#db.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** Does an urgent `write` once more with the space that is kept for a full disk. */
  #makingRoom<T>(urgent: boolean, write: () => T): T {
    if (this.#depth > 0) return write()
    this.#ballast?.fill()
    try {
      return write()
    } catch (error) {
      if (!urgent || !hasCode(error, FULL) || this.#ballast?.release() !== true) throw error
      return write()
    }
  }

  #guard<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw databaseError(this.path, error) ?? error
    }
  }

  #check(): void {
    const [row] = this.#db.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[]
    if (row?.quick_check !== 'ok') throw damaged(this.path, row?.quick_check ?? 'quick_check gave no answer')
  }
}

const outermost = ['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK'] as const
const nested = ['SAVEPOINT inner', 'RELEASE inner', 'ROLLBACK TO inner; RELEASE inner'] as const

/**
 * Syncs the -wal file through a descriptor of its own, off the event loop. Closing it is harmless: SQLite's POSIX
 * locks are on the database and -shm files only.
 */
class WriteAheadLog {
  readonly #path: string
  /** How much the connection has written; committed or not. */
  readonly #written: () => number
  #synced: number | undefined
  #file: FileHandle | undefined
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  #failure: EngineError | undefined

  constructor(path: string, written: () => number) {
    this.#path = path
    this.#written = written
  }

  sync(): Promise<void> {
    if (this.#failure === undefined && this.#synced === this.#written()) return Promise.resolve()
    // A sync that runs already may have passed by the caller's commit; the next one has not started, so it counts.
    this.#next ??= this.#after(this.#running)
    return this.#next
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#running, this.#next])
    await this.#file?.close()
    this.#file = undefined
  }

  async #after(previous: Promise<void>): Promise<void> {
    await Promise.allSettled([previous])
    this.#running = this.#sync()
    this.#next = undefined
    return this.#running
  }

  async #sync(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#file ??= await this.#open()
    const written = this.#written()
    try {
      await this.#file.datasync()
      this.#synced = written
    } catch (error) {
      // The kernel reports a failed write once and forgets the pages: no later success would mean anything.
      this.#failure = new EngineError('data_loss', `sync ${this.#path}-wal: ${messageOf(error)}`, {
        code: 'DATABASE_SYNC',
        cause: error,
      })
      throw this.#failure
    }
  }

  /** SQLite has created the file with the first write; its name needs the directory to be synced, once. */
  async #open(): Promise<FileHandle> {
    const file = await open(`${this.#path}-wal`, 'r+')
    try {
      await using directory = await open(dirname(this.#path), 'r')
      await directory.sync()
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  }
}

/** A row with this key (primary or UNIQUE) is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return hasCode(error, 1555, 2067, 2579)
}

/** The row is referred to by another one, or refers to one that is not there. */
export function isForeignKeyViolation(error: unknown): boolean {
  // RESTRICT is reported as a constraint of a trigger.
  return hasCode(error, 787, 1811)
}

function hasCode(error: unknown, ...codes: readonly number[]): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = sqliteCode(e)
    if (code !== undefined && codes.includes(code)) return true
  }
  return false
}

/** SQLite's extended result code. https://sqlite.org/rescode.html */
function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode
    : undefined
}

/** Primary result codes. */
const CORRUPT = 11
const NOT_A_DATABASE = 26
const FULL = 13

/** Failures of the file itself, as opposed to those of a statement. */
function databaseError(path: string, error: unknown): EngineError | undefined {
  const code = sqliteCode(error)
  if (code === undefined) return undefined
  const primary = code & 0xff
  if (primary === CORRUPT || primary === NOT_A_DATABASE) return damaged(path, messageOf(error), error)
  if (primary === FULL) {
    return new EngineError('resource_exhausted', `no space left on device: ${path}`, {
      code: 'DATABASE_FULL',
      cause: error,
    })
  }
  return undefined
}

function damaged(path: string, reason: string, cause?: unknown): EngineError {
  return new EngineError(
    'data_loss',
    `database ${path} is damaged (${reason}); move it away together with ${path}-wal and restore a copy`,
    { code: 'DATABASE_DAMAGED', cause },
  )
}

function cannotOpen(path: string, error: unknown): EngineError {
  return new EngineError('unavailable', `cannot open database ${path}: ${messageOf(error)}`, {
    code: 'DATABASE_OPEN',
    cause: error,
  })
}

function isList(params: SqlParams): params is readonly SqlValue[] {
  return Array.isArray(params)
}
