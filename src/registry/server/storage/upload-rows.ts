import type { Database } from '#store/db.ts'

/** Where a blob that is being received belongs. Its bytes are an upload of BlobStorage with the same id. */
export interface UploadRow {
  readonly id: string
  readonly repository: string
  /** Who began it. */
  readonly account: string
  /** Milliseconds since the epoch. */
  readonly begun: number
}

export class UploadRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  get(id: string): UploadRow | undefined {
    return this.#db.get<UploadRow>('SELECT * FROM uploads WHERE id = ?', [id])
  }

  put({ id, repository, account, begun }: UploadRow): void {
    this.#db.run('INSERT INTO uploads (id, repository, account, begun) VALUES (?, ?, ?, ?)', [
      id,
      repository,
      account,
      begun,
    ])
  }

  remove(id: string): boolean {
    return this.#db.run('DELETE FROM uploads WHERE id = ?', [id]) > 0
  }

  count(): number {
    return this.#db.get<{ count: number }>('SELECT count(*) AS count FROM uploads')?.count ?? 0
  }

  all(): UploadRow[] {
    return this.#db.all<UploadRow>('SELECT * FROM uploads ORDER BY begun, id')
  }
}
