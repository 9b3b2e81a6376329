/**
 * What a registry keeps. Two parts: blobs, whose bytes lie in files (or in memory), and the catalogue, everything
 * about them that must change together, in one SQLite database.
 *
 *     ROOT/blobs/sha256/<ab>/<hex>      immutable, durable, hashes to its name
 *     ROOT/uploads/<id>                 being received
 *     ROOT/registry.db                  repositories, manifests, tags, links to blobs, accounts' tokens, statistics
 *
 * One contract suite (blob-storage.suite.ts) runs against the file and the memory form.
 */
import type { Digest } from '#base/digest.ts'

export interface BlobStorage {
  recover(): Promise<void>
  stat(digest: Digest): Promise<BlobFacts | undefined>
  /** The bytes from `offset` up to `end` (exclusive); `not_found` before the first byte. */
  read(
    digest: Digest,
    range?: { readonly offset: number; readonly end: number },
  ): Promise<AsyncIterable<Uint8Array>>
  begin(): Promise<string>
  /** An upload that was begun; `not_found`. One holder at a time: `conflict`. */
  upload(id: string): Promise<Upload>
  uploads(): AsyncIterable<{ readonly id: string; readonly size: number; readonly touched: number }>
  blobs(): AsyncIterable<{ readonly digest: Digest } & BlobFacts>
  /** Idempotent. Refused (false) when it was written or touched at or after `unlessSince` (milliseconds). */
  remove(digest: Digest, unlessSince?: number): Promise<boolean>
  /** Renews the time of a blob, so that garbage collection leaves it to a push that relies on it. */
  touch(digest: Digest): Promise<void>
}

export interface BlobFacts {
  readonly size: number
  /** Milliseconds since the epoch: written or touched last. */
  readonly touched: number
}

/** Disposing closes it and keeps what was received. */
export interface Upload extends AsyncDisposable {
  readonly id: string
  readonly size: number
  append(chunks: AsyncIterable<Uint8Array>, options: { readonly limit: number }): Promise<number>
  /** Checks the digest of all that was received and makes it a durable blob; `invalid_argument` otherwise. */
  commit(digest: Digest): Promise<BlobFacts>
  cancel(): Promise<void>
}
