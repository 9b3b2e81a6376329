import type { Migration } from './migration.ts'

export const volumes: Migration = {
  name: '0301-volumes',
  sql: `
    CREATE TABLE volumes (
      name TEXT PRIMARY KEY,
      driver TEXT NOT NULL,
      labels TEXT NOT NULL,             -- JSON object
      options TEXT NOT NULL,            -- JSON object
      created_at TEXT NOT NULL          -- RFC 3339
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE container_volumes (
      container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
      volume TEXT NOT NULL REFERENCES volumes (name) ON DELETE RESTRICT,
      PRIMARY KEY (container_id, volume)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX container_volumes_volume ON container_volumes (volume);
  `,
}
