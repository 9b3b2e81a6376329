import type { Migration } from '#store/migrations/migration.ts'

/** Secrets that people carry about; only their SHA-256 is here. Times are milliseconds since the epoch. */
export const tokens: Migration = {
  name: '9101-tokens',
  sql: `
    CREATE TABLE access_tokens (          -- stand in for a password
      id TEXT PRIMARY KEY,
      account TEXT NOT NULL,              -- empty: belongs to nobody, its scopes are all its rights
      name TEXT NOT NULL,
      scopes TEXT NOT NULL,               -- separated by spaces; empty: whatever the account may do
      secret BLOB NOT NULL UNIQUE,
      created INTEGER NOT NULL,
      expires INTEGER,
      used INTEGER,                       -- to the minute
      UNIQUE (account, name)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE logins (                 -- refresh tokens: what a client keeps instead of the password
      id TEXT PRIMARY KEY,
      account TEXT NOT NULL,              -- empty as above
      access_token TEXT REFERENCES access_tokens (id) ON DELETE CASCADE,
      password BLOB,                      -- SHA-256 of the entry in htpasswd; another password ends it
      client TEXT NOT NULL,
      address TEXT NOT NULL,
      secret BLOB NOT NULL UNIQUE,
      created INTEGER NOT NULL,
      expires INTEGER NOT NULL,
      used INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX logins_account ON logins (account, created);
    CREATE INDEX logins_access_token ON logins (access_token);
  `,
}
