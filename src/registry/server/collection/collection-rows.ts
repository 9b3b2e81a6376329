/** The part of a collection that happens in the database: each method is one statement, and so sees one moment. */
import type { Digest } from '#base/digest.ts'
import type { Database } from '#store/db.ts'

interface DeadManifest {
  readonly repository: string
  readonly digest: Digest
  readonly size: number
}

interface DeadLink {
  readonly repository: string
  readonly blob: Digest
  readonly size: number
}

export class CollectionRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /**
   * Deletes manifests that nothing leads to: no tag, no index that lives, no subject that lives; and that nobody has
   * pushed, pulled or touched since `cutoff`. `repositories` limits it to those.
   */
  deleteUntagged(cutoff: number, repositories: readonly string[] | undefined): DeadManifest[] {
    return this.#db.all<DeadManifest>(
      `WITH RECURSIVE live (repository, digest) AS (
         SELECT repository, manifest FROM tags
         UNION
         SELECT repository, digest FROM manifests WHERE max(touched, coalesce(pulled, 0)) >= ?1
         UNION
         SELECT child.repository, child.child FROM live
           JOIN manifest_children AS child ON child.repository = live.repository AND child.manifest = live.digest
         UNION
         SELECT referrer.repository, referrer.digest FROM live
           JOIN manifests AS referrer ON referrer.repository = live.repository AND referrer.subject = live.digest
       )
       DELETE FROM manifests WHERE (repository, digest) NOT IN (SELECT repository, digest FROM live)
         AND (?2 IS NULL OR repository IN (SELECT value FROM json_each(?2)))
       RETURNING repository, digest, size`,
      [cutoff, repositories === undefined ? null : JSON.stringify(repositories)],
    )
  }

  /**
   * Deletes links that no manifest needs and nobody has touched since `cutoff`. Repositories in `busy` keep theirs: a
   * push is running there, whose manifest comes last. `repository` limits it to one.
   */
  deleteUnneededLinks(cutoff: number, busy: readonly string[], repository?: string): DeadLink[] {
    return this.#db.all<DeadLink>(
      `DELETE FROM links WHERE touched < ?1
         AND repository NOT IN (SELECT value FROM json_each(?2))
         AND (?3 IS NULL OR repository = ?3)
         AND NOT EXISTS (SELECT 1 FROM manifest_blobs AS need
                         WHERE need.repository = links.repository AND need.blob = links.blob)
       RETURNING repository, blob, size`,
      [cutoff, JSON.stringify(busy), repository ?? null],
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
