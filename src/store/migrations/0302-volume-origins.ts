import type { Migration } from './migration.ts'

/** Who made a volume, how large it may become, and images that containers mount. */
export const volumeOrigins: Migration = {
  name: '0302-volume-origins',
  sql: `
    ALTER TABLE volumes ADD COLUMN origin TEXT NOT NULL DEFAULT '{}';  -- JSON: VolumeOrigin
    ALTER TABLE volumes ADD COLUMN project INTEGER;                    -- of the quota that limits it

    CREATE TABLE container_images (     -- mounted into it, beside the one it runs
      container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
      image_id TEXT NOT NULL REFERENCES images (id) ON DELETE RESTRICT,
      PRIMARY KEY (container_id, image_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX container_images_image_id ON container_images (image_id);
  `,
}
