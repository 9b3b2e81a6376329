import type { Migration } from './migration.ts'

/** Digests of files of build contexts that are read in place: a cache, so that what has not changed is not read again. */
export const fileDigests: Migration = {
  name: '0602-file-digests',
  sql: `
    CREATE TABLE file_digests (
      file BLOB PRIMARY KEY,            -- device and inode, 8 bytes each
      state BLOB NOT NULL,              -- size, mtime and ctime (nanoseconds), 8 bytes each
      digest BLOB NOT NULL,             -- SHA-256
      used INTEGER NOT NULL             -- day since 1970
    ) STRICT, WITHOUT ROWID;
  `,
}
