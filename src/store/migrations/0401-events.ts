import type { Migration } from './migration.ts'

/** The journal of events: append-only, trimmed from its beginning. */
export const events: Migration = {
  name: '0401-events',
  sql: `
    CREATE TABLE events (
      sequence INTEGER PRIMARY KEY,     -- dense: every number once, none left out
      time INTEGER NOT NULL,            -- nanoseconds since the epoch
      type TEXT NOT NULL,
      action TEXT NOT NULL,
      actor_id TEXT NOT NULL,
      attributes TEXT NOT NULL          -- JSON object of strings
    ) STRICT;
    CREATE INDEX events_time ON events (time);
  `,
}
