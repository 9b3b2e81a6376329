import type { Migration } from './migration.ts'

/**
 *     build_keys ──▶ build_results ──layer──▶ layers
 *                    build_results ◀── build_parents
 *                    build_results ──files─▶ build_files ◀── build_memory_files ──▶ build_memories
 *
 * What steps of builds have made. "In use" is a foreign key: a layer cannot go while a result has it.
 */
export const buildCache: Migration = {
  name: '0601-build-cache',
  sql: `
    CREATE TABLE build_results (
      id TEXT PRIMARY KEY,
      layer TEXT REFERENCES layers (diff_id) ON DELETE RESTRICT,  -- NULL: the step changed nothing
      name TEXT NOT NULL,               -- of the step, for people
      stage TEXT NOT NULL,
      instruction TEXT NOT NULL,
      files TEXT,                       -- digest of the list of files that it took
      created_at INTEGER NOT NULL,      -- milliseconds since the epoch
      used_at INTEGER NOT NULL,
      uses INTEGER NOT NULL             -- builds that had it
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX build_results_layer ON build_results (layer);
    CREATE INDEX build_results_files ON build_results (files);

    CREATE TABLE build_keys (
      key TEXT PRIMARY KEY,             -- digest: of a definition, or of contents
      result_id TEXT NOT NULL REFERENCES build_results (id) ON DELETE CASCADE,
      below TEXT NOT NULL,              -- digest of the layers it stood on; '' where the key says it
      added INTEGER NOT NULL            -- milliseconds since the epoch
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX build_keys_result_id ON build_keys (result_id);

    CREATE TABLE build_parents (        -- those below it and those it took files from; they may be gone
      result_id TEXT NOT NULL REFERENCES build_results (id) ON DELETE CASCADE,
      parent_id TEXT NOT NULL,
      PRIMARY KEY (result_id, parent_id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE build_files (          -- what steps took from contexts, to explain a miss
      digest TEXT PRIMARY KEY,
      list BLOB NOT NULL                -- compressed
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE build_memories (       -- what a build was made of the last time
      name TEXT PRIMARY KEY,
      used_at INTEGER NOT NULL,
      document BLOB NOT NULL            -- compressed JSON: build/solve/memory.ts
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE build_memory_files (
      name TEXT NOT NULL REFERENCES build_memories (name) ON DELETE CASCADE,
      digest TEXT NOT NULL,
      PRIMARY KEY (name, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX build_memory_files_digest ON build_memory_files (digest);
  `,
}
