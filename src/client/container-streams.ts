import { at, type Cancellable } from './containers.ts'
import type { Hijacked, Transport } from './transport.ts'

export interface LogsOptions extends Cancellable {
  readonly follow?: boolean
  readonly timestamps?: boolean
  readonly details?: boolean
  /** Unix seconds with an optional fraction. */
  readonly since?: string | undefined
  readonly until?: string | undefined
  /** A number of lines, or `all`. */
  readonly tail?: string | undefined
}

export interface AttachOptions extends Cancellable {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly logs?: boolean
  readonly detachKeys?: string | undefined
}

/** Standard streams of containers. Framed as stdcopy unless the container has a terminal. */
export class ContainerStreams {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async logs(ref: string, options: LogsOptions = {}): Promise<AsyncIterable<Uint8Array>> {
    const { signal, ...query } = options
    return this.#transport.open('GET', at(ref, '/logs'), {
      query: { stdout: true, stderr: true, ...query },
      signal,
    })
  }

  /** Works on a container that is not started yet. Ending the stream ends the container's stdin. */
  async attach(ref: string, options: AttachOptions): Promise<Hijacked> {
    const { signal, ...query } = options
    return this.#transport.hijack(at(ref, '/attach'), { query: { stream: true, ...query }, signal })
  }

  async resize(ref: string, rows: number, columns: number): Promise<void> {
    await this.#transport.status('POST', at(ref, '/resize'), { query: { h: rows, w: columns } })
  }
}
