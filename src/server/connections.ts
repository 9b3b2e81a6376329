import type { Socket } from 'node:net'

/** Silence after which a TCP connection is probed. */
const KEEP_ALIVE_MS = 30_000

/** How often connections that are not read from are looked at. */
const LOOK_MS = 1_000
const NOTHING = Buffer.alloc(0)

/** The open connections and running exchanges of a server. */
export class Connections {
  readonly #sockets = new Set<Socket>()
  readonly #running = new Set<Promise<void>>()
  readonly #look: NodeJS.Timeout

  constructor() {
    this.#look = setInterval(() => this.#lookForHangUps(), LOOK_MS).unref()
  }

  add(socket: Socket): void {
    this.#sockets.add(socket)
    // Requests that are sent without waiting for answers each listen for its end.
    socket.setMaxListeners(0)
    // A client's machine that is gone says nothing; on a unix socket it means nothing.
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  get counts(): { readonly open: number; readonly running: number } {
    return { open: this.#sockets.size, running: this.#running.size }
  }

  /** `exchange` must not reject. */
  track(exchange: Promise<void>): void {
    const tracked: Promise<void> = exchange.finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
  }

  /** Resolves when no exchange runs any more, or after `timeout` milliseconds. */
  async drain(timeout: number): Promise<void> {
    const { promise: expired, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, timeout)
    const drained = async (): Promise<void> => {
      while (this.#running.size > 0) await Promise.all(this.#running)
    }
    await Promise.race([drained(), expired])
    clearTimeout(timer)
  }

  destroyAll(): void {
    clearInterval(this.#look)
    for (const socket of this.#sockets) socket.destroy()
  }

  /**
   * A client that has gone is noticed by reading. Where that is over (it has closed its side, and a process that says
   * nothing goes on) or rests (too many of its requests are unanswered), a write of nothing tells: on a unix socket it fails
   * when nobody is there, and does nothing to a client that only has no more to say.
   */
  #lookForHangUps(): void {
    for (const socket of this.#sockets) {
      if ((socket.readableEnded || socket.isPaused()) && socket.writable) socket.write(NOTHING)
    }
  }
}
