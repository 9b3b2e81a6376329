import type { Socket } from 'node:net'

/** The open connections and running exchanges of a server. */
export class Connections {
  readonly #sockets = new Set<Socket>()
  readonly #running = new Set<Promise<void>>()

  add(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
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
    for (const socket of this.#sockets) socket.destroy()
  }
}
