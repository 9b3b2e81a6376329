import type { Migration } from '#store/migrations/migration.ts'

/** What a pull-through cache knows about its repositories beyond the catalogue. Times are milliseconds. */
export const proxyCache: Migration = {
  name: '9202-proxy',
  sql: `
    CREATE TABLE proxy_tags (             -- when the upstream last confirmed where a tag leads
      repository TEXT NOT NULL,
      tag TEXT NOT NULL,
      checked INTEGER NOT NULL,
      PRIMARY KEY (repository, tag),
      FOREIGN KEY (repository, tag) REFERENCES tags (repository, tag) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE proxy_contents (         -- config and layers of a cached manifest, here already or not
      repository TEXT NOT NULL,
      manifest TEXT NOT NULL,
      blob TEXT NOT NULL,
      size INTEGER NOT NULL,
      PRIMARY KEY (repository, manifest, blob),
      FOREIGN KEY (repository, manifest) REFERENCES manifests (repository, digest) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX proxy_contents_blob ON proxy_contents (repository, blob);
  `,
}
