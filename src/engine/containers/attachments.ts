import { EngineError } from '#base/errors.ts'
import type { Shim, StreamSelection } from '#runtime/shim.ts'
import type { AttachStream } from './attach-stream.ts'

interface Waiting {
  readonly stream: AttachStream
  readonly streams: StreamSelection
}

/** Clients that attached before the process exists: they are connected between the shim's birth and the start. */
export class Attachments {
  readonly #waiting = new Map<string, Set<Waiting>>()

  expect(id: string, stream: AttachStream, streams: StreamSelection): void {
    const waiting = this.#waiting.get(id) ?? new Set()
    const entry = { stream, streams }
    waiting.add(entry)
    this.#waiting.set(id, waiting)
    stream.once('close', () => waiting.delete(entry))
  }

  async connect(id: string, shim: Shim): Promise<void> {
    // One after the other; those that come meanwhile too, and who leaves is not there any more.
    for (;;) {
      const [next] = this.#waiting.get(id) ?? []
      if (next === undefined) break
      const target = await shim.attach('init', next.streams)
      this.#waiting.get(id)?.delete(next)
      next.stream.connect(target)
    }
    this.#waiting.delete(id)
  }

  /** There will be no process: the clients get their end of stream. */
  abandon(id: string): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    for (const { stream } of waiting ?? []) stream.abandon()
  }

  /** The daemon ends: waiting clients are cut off. */
  close(): void {
    for (const waiting of this.#waiting.values()) {
      for (const { stream } of waiting)
        stream.destroy(new EngineError('unavailable', 'the daemon ends', { code: 'SHUTDOWN' }))
    }
    this.#waiting.clear()
  }
}
