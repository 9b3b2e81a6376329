import type { IDResponse } from '#api/generated/types.ts'
import { at, type Cancellable } from './containers.ts'
import type { Hijacked, Transport } from './transport.ts'
import { segment } from './segment.ts'

export interface ExecCreateBody {
  readonly AttachStdin?: boolean
  readonly AttachStdout?: boolean
  readonly AttachStderr?: boolean
  /** Rows and columns. */
  readonly ConsoleSize?: readonly [number, number]
  readonly DetachKeys?: string
  readonly Tty?: boolean
  readonly Env?: readonly string[]
  readonly Cmd: readonly string[]
  readonly Privileged?: boolean
  readonly User?: string
  readonly WorkingDir?: string
}

export interface ExecInspect {
  readonly ID?: string | null
  readonly Running?: boolean | null
  readonly ExitCode?: number | null
  readonly Pid?: number | null
  readonly ContainerID?: string | null
  readonly ProcessConfig?: {
    readonly entrypoint?: string
    readonly arguments?: readonly string[] | null
    readonly user?: string
    readonly tty?: boolean
  } | null
}

/** Further processes in running containers. */
export class Execs {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async create(containerRef: string, body: ExecCreateBody): Promise<IDResponse> {
    return this.#transport.json('POST', at(containerRef, '/exec'), { json: body })
  }

  async startDetached(id: string, options: { readonly tty: boolean }): Promise<void> {
    await this.#transport.status('POST', path(id, '/start'), { json: { Detach: true, Tty: options.tty } })
  }

  /** Framed as stdcopy unless `tty`. */
  async start(
    id: string,
    options: {
      readonly tty: boolean
      readonly consoleSize?: readonly [number, number] | undefined
    } & Cancellable,
  ): Promise<Hijacked> {
    const json = { Detach: false, Tty: options.tty, ConsoleSize: options.consoleSize }
    return this.#transport.hijack(path(id, '/start'), { json, signal: options.signal })
  }

  async inspect(id: string): Promise<ExecInspect> {
    return this.#transport.json('GET', path(id, '/json'))
  }

  /** Berth's own, which Docker does not have. `conflict` when it does not run. */
  async kill(id: string, signal?: string): Promise<void> {
    await this.#transport.status('POST', `/berth${path(id, '/kill')}`, { query: { signal } })
  }

  async resize(id: string, rows: number, columns: number): Promise<void> {
    await this.#transport.status('POST', path(id, '/resize'), { query: { h: rows, w: columns } })
  }
}

function path(id: string, suffix: string): string {
  return `/exec/${segment('exec', id)}${suffix}`
}
