import type { Migration } from '#store/migrations/migration.ts'

/** What a registry knows about the blobs it keeps. Times are milliseconds since the epoch. */
export const catalogue: Migration = {
  name: '9001-catalogue',
  sql: `
    CREATE TABLE repositories (
      name TEXT PRIMARY KEY,
      created INTEGER NOT NULL,
      pushed INTEGER NOT NULL,            -- last push of a manifest, tag or blob
      pulled INTEGER,                     -- last pull of a manifest
      pulls INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE links (                  -- a repository holds a blob: only then it can be had by its name
      repository TEXT NOT NULL REFERENCES repositories (name) ON DELETE CASCADE,
      blob TEXT NOT NULL,
      size INTEGER NOT NULL,
      touched INTEGER NOT NULL,           -- pushed, mounted, or asked for by a push
      PRIMARY KEY (repository, blob)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX links_blob ON links (blob);

    CREATE TABLE manifests (
      repository TEXT NOT NULL REFERENCES repositories (name) ON DELETE CASCADE,
      digest TEXT NOT NULL,
      media_type TEXT NOT NULL,
      artifact_type TEXT,                 -- its own, or the media type of its config
      config TEXT,                        -- digest of its config blob
      subject TEXT,                       -- digest of the manifest it refers to, which may be missing
      annotations TEXT,                   -- JSON object, as in the document
      size INTEGER NOT NULL,              -- of the document
      content_size INTEGER NOT NULL,      -- config and layers, as their descriptors say
      bytes BLOB NOT NULL,                -- the document
      pushed INTEGER NOT NULL,
      pulled INTEGER,
      touched INTEGER NOT NULL,           -- pushed, or asked for by a push that relies on it
      pulls INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (repository, digest)
    ) STRICT;
    CREATE INDEX manifests_subject ON manifests (repository, subject, digest) WHERE subject IS NOT NULL;

    CREATE TABLE manifest_blobs (         -- config and layers; a blob in use cannot be unlinked
      repository TEXT NOT NULL,
      manifest TEXT NOT NULL,
      blob TEXT NOT NULL,
      PRIMARY KEY (repository, manifest, blob),
      FOREIGN KEY (repository, manifest) REFERENCES manifests (repository, digest) ON DELETE CASCADE,
      FOREIGN KEY (repository, blob) REFERENCES links (repository, blob)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX manifest_blobs_blob ON manifest_blobs (repository, blob);

    CREATE TABLE manifest_children (      -- manifests of an index; they may be deleted before it
      repository TEXT NOT NULL,
      manifest TEXT NOT NULL,
      child TEXT NOT NULL,
      PRIMARY KEY (repository, manifest, child),
      FOREIGN KEY (repository, manifest) REFERENCES manifests (repository, digest) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX manifest_children_child ON manifest_children (repository, child);

    CREATE TABLE tags (
      repository TEXT NOT NULL,
      tag TEXT NOT NULL,
      manifest TEXT NOT NULL,
      pushed INTEGER NOT NULL,
      pulled INTEGER,
      pulls INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (repository, tag),
      FOREIGN KEY (repository, manifest) REFERENCES manifests (repository, digest) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tags_manifest ON tags (repository, manifest);
    CREATE INDEX tags_order ON tags (repository, tag COLLATE NOCASE, tag);

    CREATE TABLE uploads (                -- where a blob that is being received belongs
      id TEXT PRIMARY KEY,
      repository TEXT NOT NULL,           -- need not exist yet
      account TEXT NOT NULL,
      begun INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE settings (
      key TEXT PRIMARY KEY,               -- SUBJECT.NAME
      value TEXT NOT NULL                 -- JSON
    ) STRICT, WITHOUT ROWID;
  `,
}
