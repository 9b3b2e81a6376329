import type { Clock } from '#base/clock.ts'
import { type Digest, hexOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import type { Database } from './db.ts'

/** What tells a file and its content from every other, as the kernel says it (stat(2)); times in nanoseconds. */
export interface FileState {
  readonly dev: bigint
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

/** Contents known by what stat(2) says. Only what is settled may be remembered: see `isSettled()`. */
export interface FileDigests {
  lookup(state: FileState): Digest | undefined
  remember(state: FileState, digest: Digest): void
  /** Writes what was remembered, if that has not happened yet. */
  flush(): void
}

/** Nanoseconds: timestamps are coarse on some filesystems, and a change within one grain of them is not to be seen. */
const GRAIN = 2_000_000_000n

/** True when a change after `now` (nanoseconds since 1970) would show in the file's times. */
export function isSettled({ mtimeNs, ctimeNs }: FileState, now: bigint): boolean {
  return ctimeNs < now - GRAIN && mtimeNs < now - GRAIN
}

/** Rows written at a time: a few milliseconds. */
const BATCH = 500
const DAY = 86_400_000
/** Days without use after which a row goes. */
const KEPT = 30
/** About 100 bytes each. */
const MOST_ROWS = 400_000

interface Row {
  readonly digest: Uint8Array
  readonly used: number
}

interface Pending {
  readonly file: Uint8Array
  readonly state: Uint8Array
  readonly digest: Uint8Array
}

/** The rows of `file_digests`. What was remembered is written in batches; losing some costs only reading again. */
export class FileDigestRows implements FileDigests {
  readonly #db: Database
  readonly #clock: Clock
  #pending: Pending[] = []
  #tidied = 0

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  lookup(state: FileState): Digest | undefined {
    const file = packed(state.dev, state.ino)
    const was = packed(state.size, state.mtimeNs, state.ctimeNs)
    const row = this.#db.get<Row>('SELECT digest, used FROM file_digests WHERE file = ? AND state = ?', [
      file,
      was,
    ])
    if (row === undefined) return undefined
    if (row.used !== this.#today) this.#add({ file, state: was, digest: row.digest })
    return `sha256:${Buffer.from(row.digest).toString('hex')}`
  }

  remember(state: FileState, digest: Digest): void {
    this.#add({
      file: packed(state.dev, state.ino),
      state: packed(state.size, state.mtimeNs, state.ctimeNs),
      digest: Buffer.from(hexOf(digest), 'hex'),
    })
  }

  /** Writes what is pending, and removes what nobody has asked for lately. */
  flush(): void {
    const pending = this.#pending
    this.#pending = []
    const today = this.#today
    try {
      this.#write(pending, today)
    } catch (error) {
      // A full disk costs what was to be remembered, and no build.
      if (!isKind(error, 'resource_exhausted')) throw error
    }
    if (this.#tidied === today) return
    this.#tidied = today
    this.#tidy(today)
  }

  get #today(): number {
    return Math.floor(this.#clock.now().getTime() / DAY)
  }

  #add(row: Pending): void {
    this.#pending.push(row)
    if (this.#pending.length >= BATCH) this.flush()
  }

  #write(pending: readonly Pending[], today: number): void {
    if (pending.length === 0) return
    this.#db.transaction(() => {
      for (const { file, state, digest } of pending) {
        this.#db.run('INSERT OR REPLACE INTO file_digests (file, state, digest, used) VALUES (?, ?, ?, ?)', [
          file,
          state,
          digest,
          today,
        ])
      }
    })
  }

  #tidy(today: number): void {
    this.#db.run('DELETE FROM file_digests WHERE used < ?', [today - KEPT])
    const rows = this.#db.get<{ rows: number }>('SELECT count(*) AS rows FROM file_digests')?.rows ?? 0
    if (rows <= MOST_ROWS) return
    this.#db.run(
      'DELETE FROM file_digests WHERE file IN (SELECT file FROM file_digests ORDER BY used LIMIT ?)',
      [rows - MOST_ROWS],
    )
  }
}

function packed(...numbers: readonly bigint[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(8 * numbers.length)
  numbers.forEach((number, i) => bytes.writeBigUInt64LE(BigInt.asUintN(64, number), 8 * i))
  return bytes
}
