import type { Digest } from '#base/digest.ts'
import type { Database } from '../db.ts'

/** What a step has made. */
export interface ResultRow {
  readonly id: string
  /** Undefined: the step changed nothing. */
  readonly layer: Digest | undefined
  /** Of the step, for people: `[build 2/5] RUN make`. */
  readonly name: string
  readonly stage: string
  readonly instruction: string
  /** Of the list of files that it took; undefined when it took none, or none were looked at. */
  readonly files: Digest | undefined
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Milliseconds since the epoch. */
  readonly usedAt: number
  /** Builds that had it. */
  readonly uses: number
}

/** Under which key a result is found, and on which layers. */
export interface ResultKey {
  readonly key: Digest
  /** Digest of the layers below; `any` where they do not matter, `''` for a key of contents, which stands for them. */
  readonly below: Digest | 'any' | ''
}

/** Definitions that lead to one result: a file that changes and changes nothing in the end adds one each time. */
const KEYS_OF_A_RESULT = 32

/** The rows of what steps have made. Writers decide on the transaction. */
export class ResultRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  get(id: string): ResultRow | undefined {
    const row = this.#db.get<StoredResult>(`SELECT ${COLUMNS} FROM build_results WHERE id = ?`, [id])
    return row && decode(row)
  }

  all(): ResultRow[] {
    return this.#db
      .all<StoredResult>(`SELECT ${COLUMNS} FROM build_results ORDER BY created_at, id`)
      .map(decode)
  }

  byKey(key: Digest): { readonly result: ResultRow; readonly below: string } | undefined {
    const row = this.#db.get<StoredResult & { below: string }>(
      `SELECT ${COLUMNS}, below FROM build_keys JOIN build_results ON id = result_id WHERE key = ?`,
      [key],
    )
    return row && { result: decode(row), below: row.below }
  }

  /** Ids of the results that have this layer. */
  withLayer(layer: Digest): string[] {
    return this.#db
      .all<{ id: string }>('SELECT id FROM build_results WHERE layer = ? ORDER BY id', [layer])
      .map(({ id }) => id)
  }

  /** The layer that it has must have its row. */
  insert(row: ResultRow, parents: readonly string[]): void {
    this.#db.run(
      `INSERT INTO build_results (id, layer, name, stage, instruction, files, created_at, used_at, uses)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        row.id,
        row.layer ?? null,
        row.name,
        row.stage,
        row.instruction,
        row.files ?? null,
        row.createdAt,
        row.usedAt,
        row.uses,
      ],
    )
    for (const parent of new Set(parents)) {
      this.#db.run('INSERT INTO build_parents (result_id, parent_id) VALUES (?, ?)', [row.id, parent])
    }
  }

  setFiles(id: string, files: Digest): void {
    this.#db.run('UPDATE build_results SET files = ? WHERE id = ?', [files, id])
  }

  /** The key leads to this result from now on, whatever it led to before. */
  link(id: string, { key, below }: ResultKey, now: number): void {
    this.#db.run(
      `INSERT INTO build_keys (key, result_id, below, added) VALUES (?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET result_id = excluded.result_id, below = excluded.below, added = excluded.added`,
      [key, id, below, now],
    )
    this.#db.run(
      `DELETE FROM build_keys WHERE result_id = ? AND key IN (
         SELECT key FROM build_keys WHERE result_id = ? AND below <> '' ORDER BY added DESC, key LIMIT -1 OFFSET ${KEYS_OF_A_RESULT})`,
      [id, id],
    )
  }

  /** The key of contents that leads to a result. */
  contentOf(id: string): Digest | undefined {
    return this.#db.get<{ key: Digest }>("SELECT key FROM build_keys WHERE result_id = ? AND below = ''", [
      id,
    ])?.key
  }

  /** Removes results that no key leads to any more. */
  removeUnreachable(): void {
    this.#db.run(
      'DELETE FROM build_results WHERE NOT EXISTS (SELECT 1 FROM build_keys WHERE result_id = build_results.id)',
    )
  }

  touch(ids: Iterable<string>, now: number): void {
    for (const id of ids) {
      this.#db.run('UPDATE build_results SET used_at = ?, uses = uses + 1 WHERE id = ?', [now, id])
    }
  }

  remove(ids: Iterable<string>): void {
    for (const id of ids) this.#db.run('DELETE FROM build_results WHERE id = ?', [id])
  }

  /** Ids of results by the id of what was made from them, or took files of them. */
  parents(): Map<string, string[]> {
    const parents = new Map<string, string[]>()
    const rows = this.#db.all<{ id: string; parent: string }>(
      'SELECT result_id AS id, parent_id AS parent FROM build_parents ORDER BY result_id, parent_id',
    )
    for (const { id, parent } of rows) parents.set(id, [...(parents.get(id) ?? []), parent])
    return parents
  }

  /** Layers that images (hidden ones, too) have as well. */
  layersOfImages(): Set<Digest> {
    const rows = this.#db.all<{ layer: Digest }>(
      'SELECT DISTINCT layer FROM build_results JOIN image_layers ON diff_id = layer',
    )
    return new Set(rows.map(({ layer }) => layer))
  }

  /** Layers that only results have. */
  ownLayers(): Set<Digest> {
    const rows = this.#db.all<{ layer: Digest }>(
      `SELECT DISTINCT layer FROM build_results WHERE layer IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM image_layers WHERE diff_id = layer)`,
    )
    return new Set(rows.map(({ layer }) => layer))
  }
}

interface StoredResult extends Omit<ResultRow, 'layer' | 'files'> {
  readonly layer: Digest | null
  readonly files: Digest | null
}

const COLUMNS = 'id, layer, name, stage, instruction, files, created_at AS createdAt, used_at AS usedAt, uses'

function decode(row: StoredResult): ResultRow {
  const { id, layer, name, stage, instruction, files, createdAt, usedAt, uses } = row
  return {
    id,
    layer: layer ?? undefined,
    name,
    stage,
    instruction,
    files: files ?? undefined,
    createdAt,
    usedAt,
    uses,
  }
}
