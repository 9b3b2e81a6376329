import type { Migration } from './migration.ts'

/** Who asked for what: append-only, trimmed from its beginning; and events by whom they are about. */
export const requests: Migration = {
  name: '0402-requests',
  sql: `
    CREATE TABLE requests (
      sequence INTEGER PRIMARY KEY,
      begun INTEGER NOT NULL,           -- nanoseconds since the epoch
      ended INTEGER NOT NULL,
      operation TEXT NOT NULL,
      path TEXT NOT NULL,               -- without the query, which may hold secrets
      object TEXT NOT NULL,             -- id of what it was about; '' when there is no one object
      caller TEXT NOT NULL,             -- JSON object
      status INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX requests_object ON requests (object, sequence);
    CREATE INDEX events_actor ON events (actor_id, sequence);
  `,
}
