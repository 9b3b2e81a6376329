import { access } from 'node:fs/promises'
import { EngineError } from '#base/errors.ts'
import { openDatagrams } from '#os/datagrams.ts'
import type { LogDestination } from '../logs/destinations/destination.ts'
import { JOURNAL_SOCKET, journald } from '../logs/destinations/journald.ts'
import type { LogPlugins } from '../logs/destinations/log-plugins.ts'
import { openSyslog, syslogPlan } from '../logs/destinations/syslog.ts'
import type { LogForwarder } from '../logs/log-forwarder.ts'
import { logTag } from '../logs/log-attributes.ts'
import { checkLogOptions, driverOf, isBuiltIn, isForwarded, type LogConfig } from '../logs/log-options.ts'
import { logConfigOf, loggedContainer } from './container-log.ts'
import type { Container } from './container.ts'
import type { PathsOf } from './paths.ts'

export interface LogDriversDeps {
  readonly forwarder: Pick<LogForwarder, 'forward' | 'finish'>
  readonly plugins: Pick<LogPlugins, 'check' | 'open'>
  readonly paths: PathsOf
  /** Path of `berth-send`. */
  readonly sendProgram: string
}

/** The log drivers of containers: what is refused at create, and where records go while they live. */
export class LogDrivers {
  readonly #deps: LogDriversDeps

  constructor(deps: LogDriversDeps) {
    this.#deps = deps
  }

  /** Rejects with `invalid_argument` what could not be logged as it says. */
  async check(
    container: Pick<Container, 'id' | 'name' | 'image' | 'imageId' | 'config'>,
    config: LogConfig,
  ): Promise<void> {
    checkLogOptions(config)
    const driver = driverOf(config)
    const logged = loggedContainer(container)
    if (driver === 'syslog') syslogPlan(logged, config)
    else if (driver !== 'none') logTag(logged, config.Config?.['tag'] ?? '')
    if (driver === 'journald') await this.#checkJournal()
    if (!isBuiltIn(driver)) await this.#deps.plugins.check(driver)
  }

  /** Its output is taken where its driver wants it until `ended` settles; without it, what there is. */
  started(container: Container, ended?: Promise<unknown>): void {
    const { forwarder, paths } = this.#deps
    if (!isForwarded(driverOf(logConfigOf(container)))) return
    const { log, logProgress } = paths(container.id)
    const open = () => this.#open(container)
    forwarder.forward({ id: container.id, file: log, progress: logProgress, open }, ended)
  }

  /** Before its log is removed. */
  async finish(id: string): Promise<void> {
    await this.#deps.forwarder.finish(id)
  }

  async #checkJournal(): Promise<void> {
    try {
      await access(JOURNAL_SOCKET)
    } catch (cause) {
      throw new EngineError(
        'invalid_argument',
        `failed to initialize logging driver: journald is not enabled on this host: there is no ${JOURNAL_SOCKET}`,
        { code: 'LOG_DRIVER_UNKNOWN', cause },
      )
    }
  }

  async #open(container: Container): Promise<LogDestination> {
    const { plugins, sendProgram } = this.#deps
    const config = logConfigOf(container)
    const driver = driverOf(config)
    const logged = loggedContainer(container)
    const datagrams = (path: string) => openDatagrams(sendProgram, path)
    switch (driver) {
      case 'syslog':
        return openSyslog(syslogPlan(logged, config), datagrams)
      case 'journald':
        return journald(await datagrams(JOURNAL_SOCKET), logged, config)
      default: {
        const { path, args, createdAt } = container
        return plugins.open(driver, { ...logged, path, args, createdAt }, config)
      }
    }
  }
}
