import type { Database } from '#store/db.ts'

/** A repository as pages show it. Times are milliseconds. */
export interface PageRow {
  readonly name: string
  readonly description: string
  readonly official: number
  readonly stars: number
  readonly created: number
  readonly pushed: number
  readonly pulled: number | null
  readonly pulls: number
  readonly tags: number
}

/** What people say about repositories. */
export class PageRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** Those with at least one manifest. */
  list(): PageRow[] {
    return this.#db.all<PageRow>(`${select} WHERE EXISTS (SELECT 1 FROM manifests WHERE repository = name)`)
  }

  get(name: string): (PageRow & { readonly readme: string }) | undefined {
    return this.#db.get(`${select.replace('SELECT', 'SELECT readme,')} WHERE name = ?`, [name])
  }

  /** Bytes of the repository's blobs and manifests. */
  size(name: string): number {
    return (
      this.#db.get<{ bytes: number }>(
        `SELECT (SELECT coalesce(sum(size), 0) FROM links WHERE repository = ?1)
              + (SELECT coalesce(sum(size), 0) FROM manifests WHERE repository = ?1) AS bytes`,
        [name],
      )?.bytes ?? 0
    )
  }

  describe(name: string, texts: { readonly description?: string; readonly readme?: string }): void {
    this.#db.run(
      `UPDATE repository_pages SET description = coalesce(?, description), readme = coalesce(?, readme)
       WHERE name = ?`,
      [texts.description ?? null, texts.readme ?? null, name],
    )
  }

  setOfficial(name: string, official: boolean): void {
    this.#db.run('UPDATE repository_pages SET official = ? WHERE name = ?', [official ? 1 : 0, name])
  }

  star(name: string, account: string, now: number): void {
    this.#db.run('INSERT INTO repository_stars VALUES (?, ?, ?) ON CONFLICT DO NOTHING', [name, account, now])
  }

  unstar(name: string, account: string): void {
    this.#db.run('DELETE FROM repository_stars WHERE repository = ? AND account = ?', [name, account])
  }

  isStarred(name: string, account: string): boolean {
    return (
      this.#db.get('SELECT 1 FROM repository_stars WHERE repository = ? AND account = ?', [name, account]) !==
      undefined
    )
  }
}

const select = `SELECT name, description, official, created, pushed, pulled, pulls,
  (SELECT count(*) FROM repository_stars WHERE repository = name) AS stars,
  (SELECT count(*) FROM tags WHERE repository = name) AS tags
  FROM repository_pages JOIN repositories USING (name)`
