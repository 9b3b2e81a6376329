import { EngineError } from '#base/errors.ts'

/** One step of the schema. A released step is never edited; a change of the schema is a new step. */
export interface Migration {
  /** Number and subject (`0101-images`); steps are applied in the order of their names. */
  readonly name: string
  /** Run as one script inside the transaction that applies all missing steps. */
  readonly sql: string
}

/** The part of a database that applying needs. */
interface Target {
  exec(sql: string): void
  run(sql: string, params: readonly string[]): number
  all<Row>(sql: string): Row[]
}

/** Applies what is missing, in order, and returns the names. Throws when the database was made by a newer program. */
export function applyMigrations(db: Target, migrations: readonly Migration[]): readonly string[] {
  db.exec(`CREATE TABLE IF NOT EXISTS migrations (
    name TEXT PRIMARY KEY,
    applied TEXT NOT NULL
  ) STRICT`)
  const applied = new Set(db.all<{ name: string }>('SELECT name FROM migrations').map(({ name }) => name))

  const known = new Set(migrations.map(({ name }) => name))
  const foreign = [...applied].filter((name) => !known.has(name))
  if (foreign.length > 0) {
    throw new EngineError(
      'unavailable',
      `the database was made by a newer version of berth (it has ${foreign.join(', ')}); start that version`,
      { code: 'DATABASE_TOO_NEW', details: { migrations: foreign } },
    )
  }

  const missing = migrations
    .filter(({ name }) => !applied.has(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  for (const { name, sql } of missing) {
    db.exec(sql)
    db.run('INSERT INTO migrations (name, applied) VALUES (?, ?)', [name, new Date().toISOString()])
  }
  return missing.map(({ name }) => name)
}
