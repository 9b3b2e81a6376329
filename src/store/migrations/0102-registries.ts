import type { Migration } from './migration.ts'

/** What was learnt from registries: which manifest a name led to, and under which digests a layer lies where. */
export const registries: Migration = {
  name: '0102-registries',
  sql: `
    -- digest of the manifest or index that the name was fetched or loaded as; a blob
    ALTER TABLE image_references ADD COLUMN target TEXT;

    CREATE TABLE layer_blobs (          -- a layer as a registry has it, compressed or not
      diff_id TEXT NOT NULL REFERENCES layers (diff_id) ON DELETE CASCADE,
      repository TEXT NOT NULL,         -- docker.io/library/x
      digest TEXT NOT NULL,
      media_type TEXT NOT NULL,
      size INTEGER NOT NULL,
      PRIMARY KEY (diff_id, repository, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX layer_blobs_digest ON layer_blobs (digest);
  `,
}
