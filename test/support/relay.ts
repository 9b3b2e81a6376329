/** A socket that leads to another one, until it is cut. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class Relay implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'berth-relay-'))
  readonly #open = new Set<Socket>()
  readonly #server: Server

  private constructor(target: string) {
    this.#server = createServer({ allowHalfOpen: true }, (client) => {
      const upstream = connect({ path: target, allowHalfOpen: true })
      for (const socket of [client, upstream]) this.#open.add(socket.on('error', () => socket.destroy()))
      client.pipe(upstream).pipe(client)
    })
  }

  static async start(target: string): Promise<Relay> {
    const relay = new Relay(target)
    relay.#server.listen(relay.path)
    await once(relay.#server, 'listening')
    return relay
  }

  get path(): string {
    return join(this.#directory, 's')
  }

  /** Both ends see the end of their connections, and nothing else. */
  cut(): void {
    for (const socket of this.#open) {
      socket.unpipe()
      socket.resume().end()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
    rmSync(this.#directory, { recursive: true })
  }
}
