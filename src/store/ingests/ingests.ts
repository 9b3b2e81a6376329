/**
 * Blobs on their way from a registry: `DATA_ROOT/ingests/<hex>/`, which survives a cut, a cancel and a restart of the
 * daemon. Nothing here is believed: what is read back is hashed by whoever turns it into something durable.
 */
import type { Digest } from '#base/digest.ts'

export interface Ingests {
  /** At start: reads back what is there and drops what cannot be read. */
  recover(): Promise<void>
  /**
   * Opens the partial blob, or begins it. One holder at a time: `conflict` otherwise (callers share downloads above).
   * `size` is that of the descriptor; what is there with another size is begun anew.
   */
  open(blob: { readonly digest: Digest; readonly size: number }): Promise<Ingest>
  /** Removes the partial blob unless somebody has it open; a missing one is not an error. */
  remove(digest: Digest): Promise<void>
  /** What lies there, for accounting. */
  list(): Promise<readonly IngestUsage[]>
  /** Removes those that nobody has open and nobody has touched since `before` (milliseconds). */
  expire(before: number): Promise<readonly IngestUsage[]>
}

export interface IngestUsage {
  readonly digest: Digest
  readonly size: number
  /** Bytes on disk. */
  readonly stored: number
  /** Milliseconds since the epoch. */
  readonly touched: number
  readonly open: boolean
}

/** Disposing closes it and keeps what has come, unless it was removed, or nothing has come. */
export interface Ingest extends AsyncDisposable {
  readonly digest: Digest
  readonly size: number
  /** The file of the bytes: whole from its beginning as far as follow() says. */
  readonly path: string
  /** Bytes that have come. */
  readonly received: number
  /** What is still missing, in order; `end` exclusive. */
  missing(): readonly ByteRange[]
  /** Pieces that follow each other, at any position; a restart finds what was written here again, but for the last piece of every range. */
  write(offset: number, ...pieces: readonly Uint8Array[]): Promise<void>
  /** The bytes from the beginning, as they come to be there; ends at `size`. */
  read(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<Uint8Array>
  /** Calls back with how many bytes have come from the beginning on, now and whenever it grows. */
  follow(onGrown: (prefix: number) => void): Disposable
  /** Forgets what has come: it turned out to be wrong. */
  reset(): Promise<void>
  /** It has become something else. */
  remove(): Promise<void>
}

export interface ByteRange {
  readonly offset: number
  readonly end: number
}
