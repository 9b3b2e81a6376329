/** The part of a collection that happens in the database: each method is one statement, and so sees one moment. */
import type { Digest } from '#base/digest.ts'
import type { Database } from '#store/db.ts'

interface DeadManifest {
  readonly digest: Digest
  readonly size: number
}

interface DeadLink {
  readonly blob: Digest
  readonly size: number
}

export class CollectionRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  repositories(): string[] {
    return this.#db.all<{ name: string }>('SELECT name FROM repositories').map(({ name }) => name)
  }

  /**
   * Deletes manifests that nothing leads to: no tag, no index that lives, no subject that lives; and that nobody has
   * pushed, pulled or touched since `cutoff`.
   */
  deleteUntagged(repository: string, cutoff: number): DeadManifest[] {
    return this.#db.all<DeadManifest>(
      `WITH RECURSIVE live (digest) AS (
         SELECT manifest FROM tags WHERE repository = ?1
         UNION
         SELECT digest FROM manifests WHERE repository = ?1 AND max(touched, coalesce(pulled, 0)) >= ?2
         UNION
         SELECT child FROM live JOIN manifest_children ON repository = ?1 AND manifest = live.digest
         UNION
         SELECT referrer.digest FROM live
           JOIN manifests AS referrer ON referrer.repository = ?1 AND referrer.subject = live.digest
       )
       DELETE FROM manifests WHERE repository = ?1 AND digest NOT IN (SELECT digest FROM live)
       RETURNING digest, size`,
      [repository, cutoff],
    )
  }

  /** Deletes links that no manifest needs and nobody has touched since `cutoff`. */
  deleteUnneededLinks(repository: string, cutoff: number): DeadLink[] {
    return this.#db.all<DeadLink>(
      `DELETE FROM links WHERE repository = ?1 AND touched < ?2
         AND NOT EXISTS (SELECT 1 FROM manifest_blobs AS need
                         WHERE need.repository = ?1 AND need.blob = links.blob)
       RETURNING blob, size`,
      [repository, cutoff],
    )
  }

  /** How many repositories hold it. */
  holders(blob: Digest): number {
    return (
      this.#db.get<{ count: number }>('SELECT count(*) AS count FROM links WHERE blob = ?', [blob])?.count ??
      0
    )
  }

  /** Those of `blobs` that no repository holds. */
  unlinked(blobs: readonly Digest[]): Digest[] {
    return this.#db
      .all<{ blob: Digest }>(
        `SELECT value AS blob FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM links WHERE links.blob = value)`,
        [JSON.stringify(blobs)],
      )
      .map(({ blob }) => blob)
  }
}
