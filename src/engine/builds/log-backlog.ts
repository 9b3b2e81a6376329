import type { BuildMessage } from './service.ts'

/** Bytes of output that may wait for the client of a build. */
const MOST = 8 << 20

type Log = Extract<BuildMessage, { type: 'log' }>

/**
 * Keeps what steps write from filling the memory while the client does not read it: beyond eight megabytes output is left
 * out, and the client is told how much of it. All else passes.
 */
export class LogBacklog {
  readonly #most: number
  #waiting = 0
  /** What was left out of each step, and not told yet. */
  readonly #leftOut = new Map<string, { bytes: number; readonly last: Log }>()

  constructor(most = MOST) {
    this.#most = most
  }

  /** Passes `message` on to `tell`, unless there is no room for it. */
  put(message: BuildMessage, tell: (message: BuildMessage) => void): void {
    if (message.type === 'vertex' && message.completed !== undefined) this.#confess(message.id, tell)
    if (message.type !== 'log') {
      tell(message)
      return
    }
    const missing = this.#leftOut.get(message.vertex)
    // Not at once, or every other piece would be left out.
    const room = missing === undefined ? this.#most : this.#most / 2
    if (this.#waiting + message.data.length > room) {
      this.#leftOut.set(message.vertex, {
        bytes: (missing?.bytes ?? 0) + message.data.length,
        last: message,
      })
      return
    }
    this.#confess(message.vertex, tell)
    this.#waiting += message.data.length
    tell(message)
  }

  /** The messages as the client takes them. */
  async *drain(messages: AsyncIterable<BuildMessage>): AsyncGenerator<BuildMessage> {
    for await (const message of messages) {
      if (message.type === 'log') this.#waiting -= message.data.length
      yield message
    }
  }

  #confess(vertex: string, tell: (message: BuildMessage) => void): void {
    const missing = this.#leftOut.get(vertex)
    if (missing === undefined) return
    this.#leftOut.delete(vertex)
    const data = Buffer.from(
      `\n[${missing.bytes} bytes of output are left out: they were not read in time]\n`,
    )
    this.#waiting += data.length
    tell({ ...missing.last, data })
  }
}
