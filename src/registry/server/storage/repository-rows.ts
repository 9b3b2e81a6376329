import type { Database } from '#store/db.ts'

export interface RepositoryRow {
  readonly name: string
  /** Milliseconds since the epoch, as all times here. */
  readonly created: number
  readonly pushed: number
  readonly pulled: number | undefined
  readonly pulls: number
}

export interface Page {
  /** The name that the page before ended with. */
  readonly last: string | undefined
  readonly limit: number
}

interface Stored extends Omit<RepositoryRow, 'pulled'> {
  readonly pulled: number | null
}

/** A repository is there from its first blob on. Writers decide on the transaction. */
export class RepositoryRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  get(name: string): RepositoryRow | undefined {
    const row = this.#db.get<Stored>('SELECT * FROM repositories WHERE name = ?', [name])
    return row === undefined ? undefined : { ...row, pulled: row.pulled ?? undefined }
  }

  /** Makes it when it is not there, and notes the push. */
  pushed(name: string, at: number): void {
    this.#db.run(
      `INSERT INTO repositories (name, created, pushed) VALUES (?1, ?2, ?2)
       ON CONFLICT (name) DO UPDATE SET pushed = excluded.pushed`,
      [name, at],
    )
  }

  pulled(name: string, at: number): void {
    this.#db.run('UPDATE repositories SET pulled = ?, pulls = pulls + 1 WHERE name = ?', [at, name])
  }

  /** Names of those with at least one manifest, in order. */
  names({ last, limit }: Page): string[] {
    return this.#db
      .all<{ name: string }>(
        `SELECT name FROM repositories WHERE name > ?
           AND EXISTS (SELECT 1 FROM manifests WHERE repository = name)
         ORDER BY name LIMIT ?`,
        [last ?? '', limit],
      )
      .map(({ name }) => name)
  }

  /** With everything in it. */
  remove(name: string): boolean {
    return this.#db.run('DELETE FROM repositories WHERE name = ?', [name]) > 0
  }
}
