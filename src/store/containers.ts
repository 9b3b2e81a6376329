import type { Database } from './db.ts'

/** A container as it lies in the database; `document` and `state` are JSON that only the engine understands. */
export interface ContainerRow {
  readonly id: string
  readonly name: string
  readonly imageId: string | null
  readonly createdAt: string
  readonly document: string
  readonly state: string
}

/** The rows of containers and of the volumes they use. */
export class ContainerRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** In order of creation. */
  all(): ContainerRow[] {
    return this.#db.all<ContainerRow>(
      `SELECT id, name, image_id AS imageId, created_at AS createdAt, document, state FROM containers ORDER BY position`,
    )
  }

  /** `images`: ids of those that it mounts. */
  insert(row: ContainerRow, volumes: readonly string[], images: readonly string[] = []): void {
    const { id, name, imageId, createdAt, document, state } = row
    this.#db.transaction(() => {
      this.#db.run(
        'INSERT INTO containers (id, name, image_id, created_at, document, state) VALUES (?, ?, ?, ?, ?, ?)',
        [id, name, imageId, createdAt, document, state],
      )
      for (const volume of new Set(volumes)) {
        this.#db.run('INSERT INTO container_volumes (container_id, volume) VALUES (?, ?)', [id, volume])
      }
      for (const image of new Set(images)) {
        this.#db.run('INSERT INTO container_images (container_id, image_id) VALUES (?, ?)', [id, image])
      }
    })
  }

  update(row: ContainerRow): void {
    this.#db.run(
      'UPDATE containers SET name = ?, document = ?, state = ? WHERE id = ?',
      [row.name, row.document, row.state, row.id],
      { urgent: true },
    )
  }

  /** `within` may remove more rows in the same transaction. */
  remove(id: string, within: () => void = () => undefined): void {
    this.#db.transaction(
      () => {
        this.#db.run('DELETE FROM containers WHERE id = ?', [id])
        within()
      },
      { urgent: true },
    )
  }

  durable(): Promise<void> {
    return this.#db.durable()
  }
}
