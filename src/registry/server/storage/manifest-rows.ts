import type { Digest } from '#base/digest.ts'
import type { Database, SqlParams } from '#store/db.ts'
import type { Page } from './repository-rows.ts'

/** A manifest or an index of a repository, without its bytes. Times are milliseconds since the epoch. */
export interface ManifestRow {
  readonly repository: string
  readonly digest: Digest
  readonly mediaType: string
  /** As referrers show it: its own, or the media type of its config. */
  readonly artifactType: string | undefined
  readonly config: Digest | undefined
  readonly subject: Digest | undefined
  readonly annotations: Readonly<Record<string, string>> | undefined
  /** Bytes of the document. */
  readonly size: number
  /** Bytes of config and layers, as their descriptors say. */
  readonly contentSize: number
  readonly pushed: number
  readonly pulled: number | undefined
  readonly touched: number
  readonly pulls: number
}

export interface NewManifest extends Omit<ManifestRow, 'size' | 'pulled' | 'touched' | 'pulls'> {
  readonly bytes: Uint8Array
  /** Config and layers; all of them linked in the repository. */
  readonly blobs: readonly Digest[]
  /** Manifests of an index. */
  readonly children: readonly Digest[]
}

const COLUMNS = `repository, digest, media_type, artifact_type, config, subject, annotations, size, content_size,
  pushed, pulled, touched, pulls`

interface Stored {
  readonly repository: string
  readonly digest: Digest
  readonly media_type: string
  readonly artifact_type: string | null
  readonly config: Digest | null
  readonly subject: Digest | null
  readonly annotations: string | null
  readonly size: number
  readonly content_size: number
  readonly pushed: number
  readonly pulled: number | null
  readonly touched: number
  readonly pulls: number
}

/** Rows that are read at a time. */
const REFERRERS = 16

/** Manifests of repositories, and what each of them needs. Writers decide on the transaction. */
export class ManifestRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  get(repository: string, digest: Digest): ManifestRow | undefined {
    return this.#one('WHERE repository = ? AND digest = ?', [repository, digest])
  }

  /** The document, byte for byte. */
  bytes(repository: string, digest: Digest): Uint8Array | undefined {
    return this.#db.get<{ bytes: Uint8Array }>(
      'SELECT bytes FROM manifests WHERE repository = ? AND digest = ?',
      [repository, digest],
    )?.bytes
  }

  /** Adds it with what it needs; one that is there already was pushed again. */
  put(manifest: NewManifest): void {
    const { repository, digest, pushed, bytes } = manifest
    this.#db.run(
      `INSERT INTO manifests (repository, digest, media_type, artifact_type, config, subject, annotations, size,
         content_size, bytes, pushed, touched) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)
       ON CONFLICT DO UPDATE SET pushed = excluded.pushed, touched = excluded.touched,
         media_type = excluded.media_type`,
      [
        repository,
        digest,
        manifest.mediaType,
        manifest.artifactType ?? null,
        manifest.config ?? null,
        manifest.subject ?? null,
        manifest.annotations === undefined ? null : JSON.stringify(manifest.annotations),
        bytes.length,
        manifest.contentSize,
        bytes,
        pushed,
      ],
    )
    this.#need('manifest_blobs (repository, manifest, blob)', manifest, manifest.blobs)
    this.#need('manifest_children (repository, manifest, child)', manifest, manifest.children)
  }

  /** With its tags; false when it was not there. */
  remove(repository: string, digest: Digest): boolean {
    return this.#db.run('DELETE FROM manifests WHERE repository = ? AND digest = ?', [repository, digest]) > 0
  }

  pulled(repository: string, digest: Digest, at: number): void {
    this.#db.run('UPDATE manifests SET pulled = ?, pulls = pulls + 1 WHERE repository = ? AND digest = ?', [
      at,
      repository,
      digest,
    ])
  }

  /** Keeps it from collection for a push that relies on it. */
  touch(repository: string, digest: Digest, at: number): void {
    this.#db.run('UPDATE manifests SET touched = ? WHERE repository = ? AND digest = ?', [
      at,
      repository,
      digest,
    ])
  }

  /** Manifests whose subject is `subject`, by digest; a few are in memory at a time, whose annotations may be large. */
  *referrers(
    repository: string,
    subject: Digest,
    {
      artifactType,
      last = '',
    }: { readonly artifactType?: string | undefined; readonly last?: string | undefined },
  ): Generator<ManifestRow> {
    for (let after: string | undefined = last; after !== undefined;) {
      const rows = this.#all(
        `WHERE repository = ?1 AND subject = ?2 AND digest > ?3 AND (?4 IS NULL OR artifact_type = ?4)
         ORDER BY digest LIMIT ?5`,
        [repository, subject, after, artifactType ?? null, REFERRERS],
      )
      yield* rows
      after = rows.length < REFERRERS ? undefined : rows.at(-1)?.digest
    }
  }

  /** All of a repository, by digest. */
  list(repository: string, { last, limit }: Page): ManifestRow[] {
    return this.#all('WHERE repository = ? AND digest > ? ORDER BY digest LIMIT ?', [
      repository,
      last ?? '',
      limit,
    ])
  }

  blobsOf(repository: string, digest: Digest): Digest[] {
    return this.#db
      .all<{ blob: Digest }>('SELECT blob FROM manifest_blobs WHERE repository = ? AND manifest = ?', [
        repository,
        digest,
      ])
      .map(({ blob }) => blob)
  }

  childrenOf(repository: string, digest: Digest): Digest[] {
    return this.#db
      .all<{ child: Digest }>('SELECT child FROM manifest_children WHERE repository = ? AND manifest = ?', [
        repository,
        digest,
      ])
      .map(({ child }) => child)
  }

  #need(table: string, { repository, digest }: NewManifest, needed: readonly Digest[]): void {
    for (const one of needed) {
      this.#db.run(`INSERT INTO ${table} VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, [repository, digest, one])
    }
  }

  #one(where: string, params: SqlParams): ManifestRow | undefined {
    const row = this.#db.get<Stored>(`SELECT ${COLUMNS} FROM manifests ${where}`, params)
    return row === undefined ? undefined : manifestOf(row)
  }

  #all(where: string, params: SqlParams): ManifestRow[] {
    return this.#db.all<Stored>(`SELECT ${COLUMNS} FROM manifests ${where}`, params).map(manifestOf)
  }
}

function manifestOf(row: Stored): ManifestRow {
  return {
    repository: row.repository,
    digest: row.digest,
    mediaType: row.media_type,
    artifactType: row.artifact_type ?? undefined,
    config: row.config ?? undefined,
    subject: row.subject ?? undefined,
    annotations:
      row.annotations === null ? undefined : (JSON.parse(row.annotations) as Record<string, string>),
    size: row.size,
    contentSize: row.content_size,
    pushed: row.pushed,
    pulled: row.pulled ?? undefined,
    touched: row.touched,
    pulls: row.pulls,
  }
}
