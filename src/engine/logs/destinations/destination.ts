/** Where a log driver takes records: one per container that is being forwarded. */
import type { Cancellable } from '../../services.ts'

export interface ForwardedRecord {
  readonly stdout: boolean
  /** Without its newline. */
  readonly text: Uint8Array
  /** A piece of a longer line, of which more follows. */
  readonly partial: boolean
  /** UTC, RFC 3339 with nine fractional digits. */
  readonly time: string
}

export interface LogDestination extends AsyncDisposable {
  /**
   * Resolves when the records have left this process, in their order. After a failure the destination is disposed, and the
   * same records go to a new one: what has arrived before may arrive twice.
   */
  send(records: readonly ForwardedRecord[], options: Cancellable): Promise<void>
}

/** Milliseconds for a destination to be reached. */
export const CONNECT_PATIENCE = 10_000
