import type { Migration } from '#store/migrations/migration.ts'

/** Notifications on their way and, for a while, those that have ended: the queue and the delivery log in one. */
export const webhookDeliveries: Migration = {
  name: '9201-webhooks',
  sql: `
    CREATE TABLE webhook_deliveries (
      sequence INTEGER PRIMARY KEY,       -- order of delivery per endpoint
      endpoint TEXT NOT NULL,             -- its name in the configuration
      event_id TEXT NOT NULL,
      event TEXT NOT NULL,                -- the event as JSON, without the envelope
      state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed', 'dropped')),
      attempts INTEGER NOT NULL DEFAULT 0,
      due INTEGER NOT NULL,               -- milliseconds: the next attempt, when pending
      created INTEGER NOT NULL,
      ended INTEGER,
      status INTEGER,                     -- HTTP status of the last answer
      error TEXT                          -- why the last attempt was none
    ) STRICT;
    CREATE INDEX webhook_deliveries_queue ON webhook_deliveries (endpoint, state, sequence);
  `,
}
