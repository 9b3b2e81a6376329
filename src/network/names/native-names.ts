import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Background } from '#base/background.ts'
import { type Clock, systemClock } from '#base/clock.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { Helper } from '#os/helper.ts'
import { Control, isLost } from './control.ts'
import type { NameService, Resolver } from './name-service.ts'
import { attachRequest, detachRequest, listRequest, listedContainers, updateRequest } from './requests.ts'

export interface NativeNamesDeps {
  readonly helper: Pick<Helper, 'spawnDns'>
  /** Its own; made when it is first needed. Holds the socket, the state and the messages of berth-dns. */
  readonly directory: string
  /** Path of berth-dns. */
  readonly program: string
  readonly logger: Logger
  readonly clock?: Clock | undefined
}

/** How often a request is sent when berth-dns dies over it: all of them may be carried out twice. */
const ATTEMPTS = 3
/** The longest pause between two attempts to start it again, in milliseconds. */
const LONGEST_PAUSE = 5000

/**
 * Names by `berth-dns` (native/PROTOCOL.md §4): one process for all containers, started with the first one, found again by
 * the next daemon. It writes down what it is told, so that a new process goes on where a killed one stopped; while a daemon
 * runs, that is milliseconds later.
 */
export class NativeNames implements NameService {
  readonly #deps: NativeNamesDeps
  readonly #clock: Clock
  readonly #socket: string
  readonly #background: Background
  readonly #closed = new AbortController()
  #connecting: Promise<Control> | undefined

  constructor(deps: NativeNamesDeps) {
    this.#deps = deps
    this.#clock = deps.clock ?? systemClock
    this.#socket = join(deps.directory, 'sock')
    this.#background = new Background(deps.logger)
  }

  async attach(id: string, { pid }: { readonly pid: number }, resolver: Resolver): Promise<void> {
    await this.#ask(attachRequest(id, pid, resolver))
  }

  async update(resolvers: ReadonlyMap<string, Resolver>): Promise<void> {
    if (resolvers.size > 0 && (await this.#exists())) await this.#ask(updateRequest(resolvers))
  }

  async detach(id: string): Promise<void> {
    // What was never started has nothing to detach, or to update.
    if (await this.#exists()) await this.#ask(detachRequest([id]))
  }

  async adopt(ids: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    if (!(await this.#exists())) return new Set()
    const attached = listedContainers(await this.#ask(listRequest))
    const strangers = attached.difference(ids)
    if (strangers.size > 0) await this.#ask(detachRequest(strangers))
    return attached.intersection(ids)
  }

  /** Lets go; it answers on for containers that run, and ends after the last of them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort()
    try {
      const control = await this.#connecting
      control?.close()
    } catch {
      // It could not be reached, so there is nothing to let go of; whoever asked has been told.
    }
    await this.#background.idle()
  }

  async #ask(request: string): Promise<readonly string[]> {
    for (let attempt = 1; ; attempt++) {
      const control = await this.#control()
      try {
        return await control.ask(request)
      } catch (error) {
        if (!isLost(error) || attempt === ATTEMPTS || this.#closed.signal.aborted) throw error
      }
    }
  }

  /** The one connection; made, and berth-dns started, when there is none. */
  #control(): Promise<Control> {
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = undefined
      throw error
    })
    return this.#connecting
  }

  async #connect(): Promise<Control> {
    if (this.#closed.signal.aborted) throw closed()
    const control = (await Control.open(this.#socket)) ?? (await this.#start())
    this.#background.run('watching the resolver of containers', async () => {
      await control.closed
      this.#connecting = undefined
      if (!this.#closed.signal.aborted) await this.#revive()
    })
    return control
  }

  async #start(): Promise<Control> {
    const { directory, helper, program, logger } = this.#deps
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const { pid } = await helper.spawnDns(directory, program)
    logger.info('resolver of containers started', { pid })
    const control = await Control.open(this.#socket)
    if (control !== undefined) return control
    throw new EngineError('unavailable', `${program} ended at once; ${directory}/dns.log says why`, {
      code: 'RESOLVER_GONE',
    })
  }

  /** Containers wait for names: at once, then more and more patiently. */
  async #revive(): Promise<void> {
    const { logger } = this.#deps
    const { signal } = this.#closed
    logger.warn('the resolver of containers ended; starting it again')
    for (let pause = 50; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      try {
        await this.#control()
        return
      } catch (error) {
        if (signal.aborted) return
        logger.error('the resolver of containers cannot be started', { error })
      }
      await this.#clock.sleep(pause, { signal }).catch(() => undefined)
    }
  }

  /** True when there is a process, or was one whose containers may still run. */
  async #exists(): Promise<boolean> {
    try {
      await stat(this.#socket)
      return true
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false
      throw error
    }
  }
}

function closed(): EngineError {
  return new EngineError('unavailable', 'the daemon lets go of the resolver of containers', {
    code: 'RESOLVER_GONE',
  })
}
