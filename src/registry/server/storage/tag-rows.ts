import type { Digest } from '#base/digest.ts'
import type { Database } from '#store/db.ts'
import type { Page } from './repository-rows.ts'

export interface TagRow {
  readonly repository: string
  readonly tag: string
  readonly manifest: Digest
  /** Milliseconds since the epoch, as all times here. */
  readonly pushed: number
  readonly pulled: number | undefined
  readonly pulls: number
}

interface Stored extends Omit<TagRow, 'pulled'> {
  readonly pulled: number | null
}

/** Names of manifests. Writers decide on the transaction. */
export class TagRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  get(repository: string, tag: string): TagRow | undefined {
    const row = this.#db.get<Stored>('SELECT * FROM tags WHERE repository = ? AND tag = ?', [repository, tag])
    return row === undefined ? undefined : tagOf(row)
  }

  /** Sets or moves it; the manifest must be there. */
  put(repository: string, tag: string, manifest: Digest, pushed: number): void {
    this.#db.run(
      `INSERT INTO tags (repository, tag, manifest, pushed) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET manifest = excluded.manifest, pushed = excluded.pushed`,
      [repository, tag, manifest, pushed],
    )
  }

  remove(repository: string, tag: string): boolean {
    return this.#db.run('DELETE FROM tags WHERE repository = ? AND tag = ?', [repository, tag]) > 0
  }

  pulled(repository: string, tag: string, at: number): void {
    this.#db.run('UPDATE tags SET pulled = ?, pulls = pulls + 1 WHERE repository = ? AND tag = ?', [
      at,
      repository,
      tag,
    ])
  }

  /** In lexical order, whatever the case. distribution-spec "Listing Tags" */
  list(repository: string, { last, limit }: Page): TagRow[] {
    return this.#db
      .all<Stored>(
        `SELECT * FROM tags WHERE repository = ?1
           AND (tag COLLATE NOCASE > ?2 OR (tag COLLATE NOCASE = ?2 AND tag > ?2))
         ORDER BY tag COLLATE NOCASE, tag LIMIT ?3`,
        [repository, last ?? '', limit],
      )
      .map(tagOf)
  }

  /** Every name of a manifest. */
  ofManifest(repository: string, manifest: Digest): string[] {
    return this.#db
      .all<{ tag: string }>('SELECT tag FROM tags WHERE repository = ? AND manifest = ? ORDER BY tag', [
        repository,
        manifest,
      ])
      .map(({ tag }) => tag)
  }
}

function tagOf(row: Stored): TagRow {
  return { ...row, pulled: row.pulled ?? undefined }
}
