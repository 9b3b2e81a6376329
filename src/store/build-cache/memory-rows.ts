import type { Digest } from '#base/digest.ts'
import type { Database } from '../db.ts'

/** Builds that are remembered; the one that was not repeated for longest is forgotten first. */
const MEMORIES = 200

/** Bytes: that of some thousand files. */
const LONG_LIST = 64 * 1024

/** What builds were made of, so that a miss can be explained. Bytes are compressed by whoever writes them. */
export class MemoryRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  get(name: string): Uint8Array | undefined {
    return this.#db.get<{ document: Uint8Array }>('SELECT document FROM build_memories WHERE name = ?', [
      name,
    ])?.document
  }

  /** `files` are the lists that the document speaks of. */
  put(name: string, document: Uint8Array, files: Iterable<Digest>, now: number): void {
    this.#db.transaction(() => {
      this.#db.run('DELETE FROM build_memories WHERE name = ?', [name])
      this.#db.run('INSERT INTO build_memories (name, used_at, document) VALUES (?, ?, ?)', [
        name,
        now,
        document,
      ])
      for (const digest of new Set(files)) {
        this.#db.run('INSERT INTO build_memory_files (name, digest) VALUES (?, ?)', [name, digest])
      }
      this.#db.run(
        `DELETE FROM build_memories WHERE name IN (
           SELECT name FROM build_memories ORDER BY used_at DESC, name LIMIT -1 OFFSET ${MEMORIES})`,
      )
      this.removeUnusedFiles()
    })
  }

  files(digest: Digest): Uint8Array | undefined {
    return this.#db.get<{ list: Uint8Array }>('SELECT list FROM build_files WHERE digest = ?', [digest])?.list
  }

  hasFiles(digest: Digest): boolean {
    return this.#db.get('SELECT 1 FROM build_files WHERE digest = ?', [digest]) !== undefined
  }

  putFiles(digest: Digest, list: Uint8Array): void {
    this.#db.run('INSERT INTO build_files (digest, list) VALUES (?, ?) ON CONFLICT DO NOTHING', [
      digest,
      list,
    ])
  }

  /** Long lists are kept for what builds were made of the last time alone, short ones as long as a result has them. */
  removeUnusedFiles(): void {
    this.#db.run(
      `DELETE FROM build_files
       WHERE NOT EXISTS (SELECT 1 FROM build_memory_files WHERE build_memory_files.digest = build_files.digest)
       AND (length(list) > ${LONG_LIST} OR NOT EXISTS (SELECT 1 FROM build_results WHERE files = build_files.digest))`,
    )
  }
}
