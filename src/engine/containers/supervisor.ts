import { EngineError, messageOf } from '#base/errors.ts'
import type { Background } from '#base/background.ts'
import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import type { Endpoint, Networks, PublishedPort } from '#network/networks.ts'
import type { Helper } from '#os/helper.ts'
import type { ShimConfig, Shims } from '#runtime/shim.ts'
import type { Attachments } from './attachments.ts'
import type { Container } from './container.ts'
import type { Directories } from './directories.ts'
import { startFailed } from './errors.ts'
import type { PathsOf } from './paths.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Remains } from './remains.ts'
import { startError } from './start-error.ts'
import { type Ended, NEVER, type Run, lastOf, runOf } from './state.ts'
import { Task, type TaskEnd, type TaskListener, type TaskStart } from './task.ts'

/** Makes what the runtime needs on disk (bundle, /etc files) and says how the shim is to run it. */
export interface Bundles {
  write(container: Container, endpoint: Endpoint | undefined): Promise<ShimConfig>
}

/** Chooses addresses and ports for a container about to start; undefined when it has no endpoint of its own. */
export interface Endpoints {
  lease(container: Container): Endpoint | undefined
  publish(container: Container, endpoint: Endpoint): Promise<readonly PublishedPort[]>
}

export interface SupervisorDeps {
  readonly registry: ContainerRegistry
  readonly shims: Shims
  readonly helper: Helper
  readonly networks: Networks
  readonly endpoints: Endpoints
  readonly bundles: Bundles
  readonly attachments: Attachments
  readonly paths: PathsOf
  readonly directories: Directories
  readonly clock: Clock
  readonly background: Background
  readonly logger: Logger
  readonly remains: Pick<Remains, 'end'>
  readonly bootId: string
}

/**
 * Keeps one task per running container: launches, adopts after a restart of the daemon, and releases network and
 * directories when a life has ended. Callers hold the container's lock.
 */
export class Supervisor {
  readonly #deps: SupervisorDeps
  readonly #tasks = new Map<string, Task>()
  readonly #releases = new Map<string, Promise<void>>()
  /** What a life that is just being started will have; absent for one that was adopted. */
  readonly #launching = new Map<string, Pick<Run, 'shimPid' | 'endpoint' | 'ports'>>()
  readonly #listener: TaskListener

  constructor(deps: SupervisorDeps, listener: TaskListener) {
    this.#deps = deps
    this.#listener = {
      started: (task, start) => this.#started(task, start, listener),
      exited: (task, end) => listener.exited(task, end),
      oom: (task) => listener.oom(task),
    }
  }

  /** The task of a container whose process has not ended. */
  running(id: string): Task | undefined {
    const task = this.#tasks.get(id)
    return task?.ended === false ? task : undefined
  }

  /** Resolves when nothing of an earlier life is left, addresses and directories included. */
  async settled(id: string): Promise<void> {
    await this.#releases.get(id)
  }

  /**
   * Starts the container's process and records it as running. On failure nothing is left, the reason is recorded, and
   * the error has Docker's wording.
   */
  async launch(
    container: Container,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Task> {
    const { registry, attachments } = this.#deps
    await this.settled(container.id)
    options.signal?.throwIfAborted()
    try {
      return await this.#launch(container)
    } catch (error) {
      attachments.abandon(container.id)
      const last: Ended = {
        exitCode: startExitCode(error),
        oomKilled: false,
        error: messageOf(error),
        startedAt: lastOf(container.state)?.startedAt ?? NEVER,
        finishedAt: lastOf(container.state)?.finishedAt ?? NEVER,
      }
      const status = container.state.status === 'created' ? 'created' : 'exited'
      registry.update(container.id, { state: { status, last } })
      throw error
    }
  }

  /** Takes over a shim that was found alive when the daemon started. */
  adopt(container: Container, shim: Task['shim']): Task {
    return this.#supervise(container, shim)
  }

  /** Stops looking after the containers, which go on. */
  close(): void {
    for (const task of this.#tasks.values()) task.leave()
  }

  async #launch(container: Container): Promise<Task> {
    const { id } = container
    const { endpoints, networks, bundles, shims, paths, attachments, directories } = this.#deps
    // Undone, newest first, unless the process has started.
    await using acquired = new AsyncDisposableStack()

    const endpoint = endpoints.lease(container)
    acquired.defer(() => networks.release(id))
    await directories.make(paths(id).runtime)
    acquired.defer(() => directories.remove(paths(id).runtime))
    const config = await bundles.write(container, endpoint)

    const shim = await shims.spawn(paths(id).runtime, config)
    const task = this.#supervise(container, shim)
    acquired.defer(() => this.#abandon(task))
    acquired.defer(() => networks.unpublish(id))
    const publishing = endpoint === undefined ? Promise.resolve([]) : endpoints.publish(container, endpoint)
    // Both are waited for, whichever fails: what is half published could not be taken back.
    await Promise.allSettled([publishing, task.ready])
    const ports = await publishing
    await task.ready
    await attachments.connect(id, shim)

    this.#launching.set(id, { shimPid: shim.pid, endpoint, ports })
    acquired.defer(() => void this.#launching.delete(id))

    // Point of no return: from here the process exists, and only its end undoes anything.
    await this.#begin(task, container)
    await task.started
    acquired.move()
    return task
  }

  #started(task: Task, { pid, startTime, at }: TaskStart, listener: TaskListener): void {
    const { bootId } = this.#deps
    const launched = this.#launching.get(task.id)
    if (launched === undefined) return
    this.#launching.delete(task.id)
    this.#deps.registry.update(task.id, {
      state: { status: 'running', run: { pid, startTime, bootId, startedAt: at.toISOString(), ...launched } },
    })
    listener.started(task, { pid, startTime, at })
  }

  async #begin(task: Task, container: Container): Promise<void> {
    try {
      await task.shim.start()
    } catch (error) {
      throw startFailed(container.id, startError(container.path, messageOf(error)))
    }
  }

  #supervise(container: Container, shim: Task['shim']): Task {
    const { logger, background } = this.#deps
    const task = new Task(container.id, shim, this.#listener, (lost) => this.#lost(lost), logger)
    this.#tasks.set(container.id, task)
    const released = this.#release(task)
    this.#releases.set(container.id, released)
    background.run('cleaning up after a container', () => released)
    return task
  }

  async #abandon(task: Task): Promise<void> {
    await task.shim.discard()
    await this.settled(task.id)
  }

  /** Gives back what a life had, once its process has ended. */
  async #release(task: Task): Promise<void> {
    const { networks, paths, directories } = this.#deps
    await Promise.race([task.exited, task.gone])
    if (task.left) return
    await networks.unpublish(task.id)
    await task.gone
    networks.release(task.id)
    await directories.remove(paths(task.id).runtime)
    this.#tasks.delete(task.id)
    this.#releases.delete(task.id)
  }

  /** The shim was killed: without it there is no stdio and no exit code, so the process is ended and that is said. */
  async #lost(task: Task): Promise<TaskEnd> {
    const { shims, paths, registry, helper, remains, clock } = this.#deps
    const record = await shims.exitRecord(paths(task.id).exitRecord)
    const { state, hostConfig } = registry.resolve(task.id)
    const run = runOf(state)
    if (record !== undefined && run !== undefined && record.at.toISOString() >= run.startedAt) {
      return { ...record, error: '' }
    }
    if (run !== undefined) await helper.kill(run.pid, run.startTime, SIGKILL)
    await remains.end(task.id, hostConfig)
    const error = 'the supervisor of the container was killed; its process was ended'
    return { code: 137, oomKilled: false, at: clock.now(), error }
  }
}

const SIGKILL = 9
const CANNOT_START = 128

function startExitCode(error: unknown): number {
  const known = error instanceof EngineError ? error.details['exitCode'] : undefined
  return typeof known === 'number' ? known : CANNOT_START
}
