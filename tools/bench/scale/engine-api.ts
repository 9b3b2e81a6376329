import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'

/** Docker's API on a unix socket, with connections that are kept: what an answer takes, without the start of a client. */
export class EngineApi implements Disposable {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  /** The body of an answer that is not an error. */
  async ask(method: 'GET' | 'POST', path: string, body?: object): Promise<string> {
    return text(await this.#send(method, path, this.#agent, body))
  }

  /** An answer that goes on until it is destroyed, on a connection of its own. */
  async follow(path: string): Promise<IncomingMessage> {
    return this.#send('GET', path, false)
  }

  async #send(method: string, path: string, agent: Agent | false, body?: object): Promise<IncomingMessage> {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' }
    const outgoing = request({ socketPath: this.#socketPath, method, path, headers, agent })
    outgoing.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    if ((response.statusCode ?? 500) >= 400) throw new Error(`${method} ${path}: ${await text(response)}`)
    return response
  }
}
