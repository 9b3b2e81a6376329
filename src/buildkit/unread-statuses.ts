import type { StatusStream } from './status-stream.ts'

/** Builds that nobody has followed: each holds what it has said. */
const MOST = 16

/**
 * What builds have said that were over before their clients asked to follow them: the call that begins a build and the one
 * that follows it are made at once, and a client that only wants to know what the builder can do builds nothing.
 */
export class UnreadStatuses {
  readonly #streams = new Map<string, StatusStream>()

  /** Of the build `ref`, which is over. */
  put(ref: string, status: StatusStream): void {
    if (status.wasRead) return
    this.#streams.set(ref, status)
    const [oldest] = this.#streams.keys()
    if (this.#streams.size > MOST && oldest !== undefined) this.#streams.delete(oldest)
  }

  /** To be read now. */
  take(ref: string): StatusStream | undefined {
    const status = this.#streams.get(ref)
    this.#streams.delete(ref)
    return status
  }
}
