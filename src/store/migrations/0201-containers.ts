import type { Migration } from './migration.ts'

/**
 *     images ◀──image_id── containers ◀──container_id── container_volumes ──volume──▶ volumes
 *
 * "In use" is a foreign key: neither an image nor a volume can go while a container has it.
 */
export const containers: Migration = {
  name: '0201-containers',
  sql: `
    CREATE TABLE containers (
      position INTEGER PRIMARY KEY,     -- order of creation
      id TEXT NOT NULL UNIQUE,
      name TEXT NOT NULL UNIQUE,        -- without the leading slash
      image_id TEXT REFERENCES images (id) ON DELETE RESTRICT,
      created_at TEXT NOT NULL,         -- RFC 3339
      document TEXT NOT NULL,           -- JSON: everything that is configuration
      state TEXT NOT NULL               -- JSON: engine/containers/state.ts
    ) STRICT;
    CREATE INDEX containers_image_id ON containers (image_id);
  `,
}
