import type { Database } from '#store/db.ts'

/** Values that are changed while the registry runs, by `SUBJECT.NAME`. Readers check what they read. */
export class SettingRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  get(key: string): unknown {
    const row = this.#db.get<{ value: string }>('SELECT value FROM settings WHERE key = ?', [key])
    return row === undefined ? undefined : (JSON.parse(row.value) as unknown)
  }

  put(key: string, value: unknown): void {
    this.#db.run(
      'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
      [key, JSON.stringify(value)],
    )
  }

  remove(key: string): boolean {
    return this.#db.run('DELETE FROM settings WHERE key = ?', [key]) > 0
  }
}
