/** SIGHUP: the configuration is read again. What can change while the daemon runs changes; the rest is named. */
import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { DaemonConfig } from './config.ts'

/** Parts of the configuration that are looked up whenever they are needed. */
const live: readonly (keyof DaemonConfig)[] = ['containers', 'labels', 'logLevel', 'registries', 'runtimes']

/** The configuration as it is now. */
export class LiveConfig {
  #current: DaemonConfig
  readonly #read: () => DaemonConfig

  constructor(first: DaemonConfig, read: () => DaemonConfig) {
    this.#current = first
    this.#read = read
  }

  get current(): DaemonConfig {
    return this.#current
  }

  /** What changed; undefined when the configuration cannot be used, and stays as it was. */
  reload(logger: Logger): readonly string[] | undefined {
    let next: DaemonConfig
    try {
      next = this.#read()
    } catch (error) {
      logger.error('the configuration cannot be read again; nothing has changed', { error: messageOf(error) })
      return undefined
    }
    const keys = Object.keys(next) as (keyof DaemonConfig)[]
    const changed = keys.filter((key) => !isDeepStrictEqual(next[key], this.#current[key]))
    const late = changed.filter((key) => !live.includes(key))
    if (late.length > 0)
      logger.warn('these settings change when the daemon is started again', { settings: late })
    const now = changed.filter((key) => live.includes(key))
    this.#current = { ...this.#current, ...Object.fromEntries(live.map((key) => [key, next[key]])) }
    logger.info('configuration read again', { changed: now })
    return now
  }
}
