import type { Migration } from './migration.ts'

/**
 *     image_references ──▶ images ◀── image_layers ──▶ layers
 *      image_manifests ──▶        ◀── containers.image_id
 *
 * "In use" is a foreign key: a layer cannot go while an image has it, an image cannot go while a reference or a
 * container has it. An image that was deleted by force while a stopped container needs it is *hidden*: nobody sees
 * it, and it goes with the last container.
 */
export const images: Migration = {
  name: '0101-images',
  sql: `
    CREATE TABLE layers (
      diff_id TEXT PRIMARY KEY,
      size INTEGER NOT NULL             -- bytes of the uncompressed tar
    ) STRICT;

    CREATE TABLE images (
      id TEXT PRIMARY KEY,              -- digest of the config, whose bytes are a blob
      size INTEGER NOT NULL,            -- sum of its layers
      created INTEGER,                  -- milliseconds since the epoch, from the config
      labels TEXT,                      -- JSON object, from the config
      parent_id TEXT,                   -- image it was committed from; that one may be gone
      tagged_at INTEGER,                -- milliseconds; when a reference was last given to it
      hidden INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX images_parent_id ON images (parent_id);

    CREATE TABLE image_layers (
      image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
      position INTEGER NOT NULL,        -- 0 is the bottom
      diff_id TEXT NOT NULL REFERENCES layers (diff_id) ON DELETE RESTRICT,
      PRIMARY KEY (image_id, position)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX image_layers_diff_id ON image_layers (diff_id);

    CREATE TABLE image_references (
      name TEXT PRIMARY KEY,            -- docker.io/library/x:tag or docker.io/library/x@sha256:...
      image_id TEXT NOT NULL REFERENCES images (id) ON DELETE RESTRICT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX image_references_image_id ON image_references (image_id);

    CREATE TABLE image_manifests (      -- manifests that it came with; their bytes are blobs
      image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
      digest TEXT NOT NULL,
      media_type TEXT NOT NULL,
      size INTEGER NOT NULL,
      PRIMARY KEY (image_id, digest)
    ) STRICT, WITHOUT ROWID;
  `,
}
