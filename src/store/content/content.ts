import type { Digest } from '#base/digest.ts'

/**
 * Content-addressed blobs (image configs, manifests): `blobs/sha256/<hex>` of an OCI image layout.
 * Every file at a final path hashes to its name and is durable; nothing else is ever there.
 */
export interface Content {
  /** Stores `bytes`; resolves once they are durable. */
  write(bytes: Uint8Array, options?: { readonly expected?: Digest | undefined }): Promise<Digest>
  /** The bytes, checked against the digest: `not_found`, or `data_loss` when they no longer match. */
  read(digest: Digest): Promise<Uint8Array>
  has(digest: Digest): Promise<boolean>
  list(): AsyncIterable<{ readonly digest: Digest; readonly size: number }>
  /** Bytes that removing it frees, in allocated blocks; none when it is missing. */
  space(digest: Digest): Promise<number>
  /** Idempotent. */
  remove(digest: Digest): Promise<void>
}
