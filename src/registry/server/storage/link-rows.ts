import type { Digest } from '#base/digest.ts'
import { type Database, isForeignKeyViolation } from '#store/db.ts'

export interface LinkRow {
  readonly repository: string
  readonly blob: Digest
  readonly size: number
  /** Milliseconds since the epoch: pushed, mounted, or asked for by a push. */
  readonly touched: number
}

/** Which repository holds which blob. */
export class LinkRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  get(repository: string, blob: Digest): LinkRow | undefined {
    return this.#db.get<LinkRow>('SELECT * FROM links WHERE repository = ? AND blob = ?', [repository, blob])
  }

  /** Repositories that hold the blob, in order. */
  holders(blob: Digest): string[] {
    return this.#db
      .all<{ repository: string }>('SELECT repository FROM links WHERE blob = ? ORDER BY repository', [blob])
      .map(({ repository }) => repository)
  }

  /** The repository must be there; a link that is there is touched. */
  put({ repository, blob, size, touched }: LinkRow): void {
    this.#db.run(
      `INSERT INTO links (repository, blob, size, touched) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET touched = excluded.touched`,
      [repository, blob, size, touched],
    )
  }

  touch(repository: string, blob: Digest, at: number): boolean {
    return (
      this.#db.run('UPDATE links SET touched = ? WHERE repository = ? AND blob = ?', [at, repository, blob]) >
      0
    )
  }

  /** A manifest that needs the blob, if there is one. */
  neededBy(repository: string, blob: Digest): Digest | undefined {
    return this.#db.get<{ manifest: Digest }>(
      'SELECT manifest FROM manifest_blobs WHERE repository = ? AND blob = ? LIMIT 1',
      [repository, blob],
    )?.manifest
  }

  /** `in use`: a manifest of the repository needs it. The file stays, for collection to find. */
  remove(repository: string, blob: Digest): 'removed' | 'absent' | 'in use' {
    try {
      const removed = this.#db.run('DELETE FROM links WHERE repository = ? AND blob = ?', [repository, blob])
      return removed > 0 ? 'removed' : 'absent'
    } catch (error) {
      if (isForeignKeyViolation(error)) return 'in use'
      throw error
    }
  }
}
