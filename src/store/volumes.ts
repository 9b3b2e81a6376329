import type { Database } from './db.ts'

/** How a volume came to be; names are those of that time. */
export interface VolumeOrigin {
  readonly by?: 'request' | 'container' | 'clone' | 'import'
  /** The container that it was made for. */
  readonly container?: { readonly id: string; readonly name: string; readonly image: string }
  /** The volume that it was cloned from. */
  readonly volume?: string
}

export interface VolumeRow {
  readonly name: string
  readonly driver: string
  readonly labels: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
  /** RFC 3339. */
  readonly createdAt: string
  readonly origin: VolumeOrigin
  /** Id of the project whose quota limits its size. */
  readonly project: number | null
}

interface StoredVolume extends Pick<VolumeRow, 'name' | 'driver' | 'createdAt' | 'project'> {
  readonly labels: string
  readonly options: string
  readonly origin: string
}

const COLUMNS = 'name, driver, labels, options, created_at AS createdAt, origin, project'

/** The rows of volumes; who uses them is a foreign key of containers. */
export class VolumeRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  all(): VolumeRow[] {
    return this.#db.all<StoredVolume>(`SELECT ${COLUMNS} FROM volumes ORDER BY name`).map(decode)
  }

  get(name: string): VolumeRow | undefined {
    const row = this.#db.get<StoredVolume>(`SELECT ${COLUMNS} FROM volumes WHERE name = ?`, [name])
    return row === undefined ? undefined : decode(row)
  }

  insert(row: VolumeRow): void {
    this.#db.run(
      `INSERT INTO volumes (name, driver, labels, options, created_at, origin, project)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      [
        row.name,
        row.driver,
        JSON.stringify(row.labels),
        JSON.stringify(row.options),
        row.createdAt,
        JSON.stringify(row.origin),
        row.project,
      ],
    )
  }

  /** Fails with a foreign key violation while a container uses it, and when the new name is taken. */
  rename(from: string, to: string): void {
    this.#db.run('UPDATE volumes SET name = ? WHERE name = ?', [to, from])
  }

  /** Fails with a foreign key violation while a container uses it. */
  remove(name: string): void {
    this.#db.run('DELETE FROM volumes WHERE name = ?', [name], { urgent: true })
  }

  /** Ids of the containers that use the volume. */
  users(name: string): string[] {
    return this.#db
      .all<{ id: string }>('SELECT container_id AS id FROM container_volumes WHERE volume = ?', [name])
      .map(({ id }) => id)
  }

  durable(): Promise<void> {
    return this.#db.durable()
  }
}

function decode(row: StoredVolume): VolumeRow {
  return {
    ...row,
    labels: JSON.parse(row.labels) as Record<string, string>,
    options: JSON.parse(row.options) as Record<string, string>,
    origin: JSON.parse(row.origin) as VolumeOrigin,
  }
}
