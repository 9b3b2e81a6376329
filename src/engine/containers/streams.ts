import { EngineError } from '#base/errors.ts'
import { isReadable } from '../logs/log-options.ts'
import type { AttachOptions, AttachedStream, ContainerStreams, LogOptions } from '../services.ts'
import { AttachStream } from './attach-stream.ts'
import type { Attachments } from './attachments.ts'
import type { Container } from './container.ts'
import { logConfigOf } from './container-log.ts'
import { detachFilter, parseDetachKeys } from './detach-keys.ts'
import { notRunning, wrongState } from './errors.ts'
import type { ContainerEvents } from './events.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Supervisor } from './supervisor.ts'

/** Reads a container's log files; the engine says when there will be no more. */
export interface Logs {
  read(
    file: string,
    options: LogOptions & { readonly tty: boolean; readonly ended: Promise<unknown> | undefined },
  ): AsyncIterable<Uint8Array>
}

export interface StreamsDeps {
  readonly registry: ContainerRegistry
  readonly supervisor: Supervisor
  readonly attachments: Attachments
  readonly logs: Logs
  readonly events: ContainerEvents
  readonly logFile: (id: string) => string
}

/** Output, input and terminal of a container. */
export class Streams implements ContainerStreams {
  readonly #deps: StreamsDeps

  constructor(deps: StreamsDeps) {
    this.#deps = deps
  }

  async logs(
    ref: string,
    options: LogOptions,
  ): Promise<{ readonly tty: boolean; readonly stream: AsyncIterable<Uint8Array> }> {
    const container = this.#deps.registry.resolve(ref)
    if (!isReadable(logConfigOf(container))) {
      throw new EngineError('not_implemented', 'configured logging driver does not support reading', {
        code: 'LOGS_UNREADABLE',
      })
    }
    const tty = container.config.Tty === true
    return { tty, stream: this.#read(container, { ...options, tty }) }
  }

  async attach(ref: string, options: AttachOptions): Promise<AttachedStream> {
    const { registry, supervisor, attachments, events } = this.#deps
    const container = registry.resolve(ref)
    const { id, state, config } = container
    if (state.status === 'paused') {
      throw wrongState(id, `container ${id} is paused, unpause the container before attach`)
    }
    if (state.status === 'restarting') {
      throw wrongState(id, `container ${id} is restarting, wait until the container is running`)
    }
    const stream = this.#stream(container, options)
    const streams = {
      stdin: options.stdin && config.OpenStdin === true,
      stdout: options.stdout,
      // A terminal has one output.
      stderr: options.stderr && config.Tty !== true,
    }
    const task = supervisor.running(id)
    if (!options.stream) stream.abandon()
    else if (task !== undefined) stream.connect(await task.shim.attach('init', streams))
    else if (state.status === 'created' || state.status === 'exited') attachments.expect(id, stream, streams)
    else throw notRunning(id)
    events.publish(container, 'attach')
    return { tty: config.Tty === true, stream }
  }

  async resize(ref: string, rows: number, columns: number): Promise<void> {
    const { registry, supervisor, events } = this.#deps
    const container = registry.resolve(ref)
    const task = supervisor.running(container.id)
    if (task === undefined) throw notRunning(container.id)
    // Without a terminal there is nothing to do, and clients that resize whatever they show are right to go on.
    if (container.config.Tty === true) await task.shim.resize('init', rows, columns)
    events.publish(container, 'resize', { height: String(rows), width: String(columns) })
  }

  #stream(container: Container, options: AttachOptions): AttachStream {
    const keys = parseDetachKeys(options.detachKeys)
    const written = options.logs ? this.#written(container, options) : undefined
    if (container.config.Tty !== true || !options.stdin) return new AttachStream({}, written)
    const detaching = {
      filter: detachFilter(keys),
      onDetach: () => this.#deps.events.publish(container, 'detach'),
    }
    return new AttachStream(detaching, written)
  }

  /** All that the log holds now. */
  #written(container: Container, { stdout, stderr }: AttachOptions): AsyncIterable<Uint8Array> {
    return this.#read(container, {
      stdout,
      stderr,
      follow: false,
      timestamps: false,
      details: false,
      since: undefined,
      until: undefined,
      tail: undefined,
      tty: container.config.Tty === true,
    })
  }

  #read(container: Container, options: LogOptions & { readonly tty: boolean }): AsyncIterable<Uint8Array> {
    const { logs, logFile, supervisor } = this.#deps
    const ended = supervisor.running(container.id)?.exited
    return logs.read(logFile(container.id), {
      ...options,
      follow: options.follow && ended !== undefined,
      ended,
    })
  }
}
