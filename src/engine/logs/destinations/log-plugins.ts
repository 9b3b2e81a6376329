import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '#base/errors.ts'
import { makeFifo, openFifo } from '#os/fifo.ts'
import { type PluginAddress, type PluginDirectories, pluginAddress } from '../../plugins/plugin-address.ts'
import { callPlugin } from '../../plugins/plugin-client.ts'
import type { LoggedContainer } from '../log-attributes.ts'
import type { LogConfig } from '../log-options.ts'
import { CONNECT_PATIENCE, type LogDestination } from './destination.ts'
import { logEntry } from './log-entry.ts'

/** What a plugin is told of a container, beyond its log options. */
export interface PluginContainer extends LoggedContainer {
  readonly path: string
  readonly args: readonly string[]
  /** RFC 3339. */
  readonly createdAt: string
}

/** Milliseconds for a plugin to answer. */
const PATIENCE = 10_000

/**
 * Docker's log plugins (docs.docker.com/engine/extend/plugins_logging): programs found like all plugins, which read the
 * records of one container from a pipe that they are told of by `LogDriver.StartLogging`.
 */
export class LogPlugins {
  readonly #directories: PluginDirectories
  /** Where the pipes are. */
  readonly #pipes: string

  constructor(directories: PluginDirectories, pipes: string) {
    this.#directories = directories
    this.#pipes = pipes
  }

  /** Rejects with `invalid_argument`, in Docker's words, when there is no such plugin. */
  async check(name: string): Promise<void> {
    if ((await pluginAddress(name, this.#directories)) === undefined) throw unknown(name)
  }

  async open(name: string, container: PluginContainer, config: LogConfig): Promise<LogDestination> {
    const address = await pluginAddress(name, this.#directories)
    if (address === undefined) throw unknown(name)
    await mkdir(this.#pipes, { recursive: true, mode: 0o700 })
    const File = join(this.#pipes, randomUUID())
    await makeFifo(File)
    await using opened = new AsyncDisposableStack()
    opened.defer(() => rm(File, { force: true }))
    const call = (method: string, body: object) => this.#call({ name, address }, method, body)
    await call('StartLogging', { File, Info: infoOf(container, config) })
    // In that order at the end: it has read everything when it is told to stop.
    opened.defer(() => call('StopLogging', { File }).then(() => undefined))
    const pipe = opened.use(await openFifo(File, CONNECT_PATIENCE))
    const resources = opened.move()
    return {
      send: (records, options) => pipe.write(Buffer.concat(records.map(logEntry)), options),
      [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
    }
  }

  async #call(
    plugin: { readonly name: string; readonly address: PluginAddress },
    method: string,
    body: object,
  ): Promise<object> {
    return callPlugin(plugin, `LogDriver.${method}`, body, { timeout: PATIENCE })
  }
}

function infoOf(container: PluginContainer, { Config }: LogConfig): object {
  return {
    Config: Config ?? {},
    ContainerID: container.id,
    ContainerName: `/${container.name}`,
    ContainerEntrypoint: container.path,
    ContainerArgs: container.args,
    ContainerImageID: container.imageId ?? '',
    ContainerImageName: container.image,
    ContainerCreated: container.createdAt,
    ContainerEnv: container.environment,
    ContainerLabels: container.labels,
    LogPath: '',
    DaemonName: 'docker',
  }
}

function unknown(name: string): EngineError {
  return new EngineError(
    'invalid_argument',
    `error looking up logging plugin ${name}: plugin "${name}" not found`,
    { code: 'LOG_DRIVER_UNKNOWN', details: { name } },
  )
}
