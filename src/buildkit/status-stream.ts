import type { StatusResponse } from './messages/control.ts'

/** Items that a reader may be behind before those who write wait for it. */
const MOST_BEHIND = 1000

/**
 * What a build has to say, for those who follow it. Who comes first also gets what was said before. Without a reader
 * nobody waits, and what is too much is dropped.
 */
export class StatusStream {
  readonly #readers = new Set<Reader>()
  #early: StatusResponse[] | undefined = []
  #ended = false

  /** Somebody has begun to. */
  get wasRead(): boolean {
    return this.#early === undefined
  }

  /** Every reader will have it; see room(). */
  put(status: StatusResponse): void {
    if (this.#early !== undefined && this.#early.length < MOST_BEHIND) this.#early.push(status)
    for (const reader of this.#readers) {
      reader.waiting.push(status)
      reader.wake.resolve()
    }
  }

  /** Resolves when no reader is far behind. */
  async room(): Promise<void> {
    for (const reader of this.#readers) {
      if (reader.waiting.length >= MOST_BEHIND) await reader.caughtUp.promise
    }
  }

  /** Nothing more will be said. */
  end(): void {
    this.#ended = true
    for (const { wake } of this.#readers) wake.resolve()
  }

  async *read(signal: AbortSignal): AsyncGenerator<StatusResponse> {
    const reader: Reader = {
      waiting: this.#early ?? [],
      wake: Promise.withResolvers(),
      caughtUp: Promise.withResolvers(),
    }
    this.#early = undefined
    this.#readers.add(reader)
    const onAbort = (): void => reader.wake.resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      while (!signal.aborted) {
        yield* reader.waiting.splice(0)
        reader.caughtUp.resolve()
        reader.caughtUp = Promise.withResolvers()
        if (reader.waiting.length > 0) continue
        if (this.#ended) return
        await reader.wake.promise
        reader.wake = Promise.withResolvers()
      }
    } finally {
      this.#readers.delete(reader)
      reader.caughtUp.resolve()
      signal.removeEventListener('abort', onAbort)
    }
  }
}

interface Reader {
  readonly waiting: StatusResponse[]
  wake: PromiseWithResolvers<void>
  caughtUp: PromiseWithResolvers<void>
}
