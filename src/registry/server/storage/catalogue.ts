/**
 * What a registry knows about its blobs: one SQLite database, `ROOT/registry.db`. Its schema is drawn in
 * migrations/9001-catalogue.ts; rooms with rows of their own add a migration beside it (see migrations/migrations.ts)
 * and use `catalogue.db`.
 *
 *     catalogue.transaction(() => { catalogue.repositories.pushed(name, now); catalogue.tags.put(…) })
 *     await catalogue.durable()
 *
 * Order that keeps every instant sound:
 * - a blob is durable in BlobStorage before its link is written, and a link before a manifest that needs it (a foreign
 *   key says so); who is told has waited for `durable()`;
 * - collection removes rows first (an untouched link that no manifest needs), then the file, by
 *   `blobs.remove(digest, unlessSince)`, which refuses what a push touched meanwhile. A crash between the two leaves a
 *   file without a link, which the next collection finds.
 */
import type { Logger } from '#base/logger.ts'
import { type Database, openDatabase } from '#store/db.ts'
import { LinkRows } from './link-rows.ts'
import { ManifestRows } from './manifest-rows.ts'
import { migrations } from './migrations/migrations.ts'
import { RepositoryRows } from './repository-rows.ts'
import { SettingRows } from './setting-rows.ts'
import { TagRows } from './tag-rows.ts'
import { UploadRows } from './upload-rows.ts'

/** Opens or creates it at `path`, `:memory:` for tests. Throws `data_loss` and `unavailable` as databases do. */
export function openCatalogue(path: string, options: { readonly logger: Logger }): Catalogue {
  return new Catalogue(openDatabase(path, { logger: options.logger, migrations }))
}

export class Catalogue implements AsyncDisposable {
  /** For rooms with tables of their own. */
  readonly db: Database
  readonly repositories: RepositoryRows
  readonly links: LinkRows
  readonly manifests: ManifestRows
  readonly tags: TagRows
  readonly uploads: UploadRows
  readonly settings: SettingRows

  constructor(db: Database) {
    this.db = db
    this.repositories = new RepositoryRows(db)
    this.links = new LinkRows(db)
    this.manifests = new ManifestRows(db)
    this.tags = new TagRows(db)
    this.uploads = new UploadRows(db)
    this.settings = new SettingRows(db)
  }

  /** All of the changes that `work` makes, or none; nothing may be awaited inside. */
  transaction<T>(work: () => T extends PromiseLike<unknown> ? never : T): T {
    return this.db.transaction<T>(work)
  }

  /** Resolves once everything committed before survives a power cut. */
  async durable(): Promise<void> {
    await this.db.durable()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.db.close()
  }
}
