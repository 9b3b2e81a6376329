import type { Migration } from './migration.ts'

/**
 * Networks that somebody made; those that are always there have no rows. Endpoints lie with their containers: what a
 * container is to be attached to in its document, what it has while it runs in its state.
 */
export const networks: Migration = {
  name: '0501-networks',
  sql: `
    CREATE TABLE networks (
      position INTEGER PRIMARY KEY,     -- order of creation
      id TEXT NOT NULL UNIQUE,
      name TEXT NOT NULL UNIQUE,
      created_at TEXT NOT NULL,         -- RFC 3339
      state TEXT NOT NULL,              -- creating, ready, removing
      document TEXT NOT NULL            -- JSON: engine/networks/network.ts
    ) STRICT;
  `,
}
