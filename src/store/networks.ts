import type { Database } from './db.ts'

/** A network as it lies in the database; `document` is JSON that only the engine understands. */
export interface NetworkRow {
  readonly id: string
  readonly name: string
  /** RFC 3339. */
  readonly createdAt: string
  /** Between `creating` and `ready` the kernel may have part of it; so from `removing` on. */
  readonly state: 'creating' | 'ready' | 'removing'
  readonly document: string
}

/** The rows of networks that somebody made. */
export class NetworkRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** In order of creation. */
  all(): NetworkRow[] {
    return this.#db.all<NetworkRow>(
      'SELECT id, name, created_at AS createdAt, state, document FROM networks ORDER BY position',
    )
  }

  insert({ id, name, createdAt, state, document }: NetworkRow): void {
    this.#db.run(
      'INSERT INTO networks (id, name, created_at, state, document) VALUES (?, ?, ?, ?, ?)',
      [id, name, createdAt, state, document],
      { urgent: true },
    )
  }

  changeState(id: string, state: NetworkRow['state']): void {
    this.#db.run('UPDATE networks SET state = ? WHERE id = ?', [state, id], { urgent: true })
  }

  remove(id: string): void {
    this.#db.run('DELETE FROM networks WHERE id = ?', [id], { urgent: true })
  }

  /** Everything so far survives a power cut once this resolves. */
  durable(): Promise<void> {
    return this.#db.durable()
  }
}
