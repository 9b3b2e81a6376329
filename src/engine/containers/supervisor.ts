import type { Background } from '#base/background.ts'
import { type Clock, settlesWithin } from '#base/clock.ts'
import { EngineError, messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { Endpoint, Networks, PublishTarget, PublishedPort } from '#network/networks.ts'
import type { Helper } from '#os/helper.ts'
import { processStartTime } from '#os/proc/process-stat.ts'
import type { ShimConfig, Shims } from '#runtime/shim.ts'
import type { Attachments } from './attachments.ts'
import type { Container } from './container.ts'
import type { Directories } from './directories.ts'
import { networkingFailed, startFailed } from './errors.ts'
import type { MountSources, MountSourcesOf } from './mount-sources.ts'
import type { PathsOf } from './paths.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Remains } from './remains.ts'
import { startError } from './start-error.ts'
import { type Run, lastOf, runOf } from './state.ts'
import { SHIM_PATIENCE, Task, type TaskEnd, type TaskListener, type TaskStart } from './task.ts'

/** Makes what the runtime needs on disk (bundle, /etc files) and says how the shim is to run it. */
export interface Bundles {
  write(container: Container, endpoints: readonly Endpoint[], sources: MountSources): Promise<ShimConfig>
}

/** Chooses addresses and ports for a container about to start; none when it has no endpoints of its own. */
export interface Endpoints {
  lease(container: Container): readonly Endpoint[]
  publish(container: Container, endpoints: readonly Endpoint[]): Promise<readonly PublishedPort[]>
  /** Where its ports lead; undefined when it cannot have any. */
  target(container: Container, endpoints: readonly Endpoint[]): PublishTarget | undefined
}

/** Names by which containers find each other. */
export interface Names {
  /** In the namespace of process `pid`; every other container knows when it resolves. */
  join(container: Container, endpoints: readonly Endpoint[], pid: number): Promise<void>
  leave(id: string): Promise<void>
}

export interface SupervisorDeps {
  readonly registry: ContainerRegistry
  readonly shims: Shims
  readonly helper: Helper
  readonly networks: Networks
  readonly endpoints: Endpoints
  readonly names: Names
  readonly bundles: Bundles
  readonly mountSources: Pick<MountSourcesOf, 'acquire' | 'pinned' | 'release'>
  readonly attachments: Attachments
  readonly paths: PathsOf
  readonly directories: Directories
  readonly clock: Clock
  readonly background: Background
  readonly logger: Logger
  readonly remains: Pick<Remains, 'end'>
  readonly bootId: string
}

/** What the engine does when something happens to a container's process; see TaskListener. */
export interface LifeListener extends TaskListener {
  /** The start has failed, and nothing is left of it. */
  failed(id: string, error: unknown): void
}

export interface LaunchOptions {
  /** Cancels the start as long as there is no process. */
  readonly signal?: AbortSignal | undefined
  /** Changes of the container that come with its new state. */
  readonly with?: Partial<Pick<Container, 'stoppedByHand' | 'restartCount'>> | undefined
}

interface Launching extends Pick<Run, 'shimPid' | 'runtime' | 'endpoints' | 'ports'> {
  readonly change: LaunchOptions['with']
}

const SIGKILL = 9
/** Milliseconds that the daemon's end waits for starts that are under way. */
const CLOSE_PATIENCE = 10_000
/** Milliseconds that a start waits for addresses of containers that have ended. */
const RELEASE_PATIENCE = 10_000
/** Milliseconds between two looks at a shim that lives but has ended our watch. */
const WATCH_AGAIN = 100

/**
 * Keeps one task per running container: launches, adopts after a restart of the daemon, and releases network and
 * directories when a life has ended. Callers hold the container's lock.
 */
export class Supervisor {
  readonly #deps: SupervisorDeps
  readonly #tasks = new Map<string, Task>()
  readonly #releases = new Map<string, Promise<void>>()
  /** What a life that is just being started will have; absent for one that was adopted. */
  readonly #launching = new Map<string, Launching>()
  readonly #launches = new Set<Promise<unknown>>()
  readonly #unpublishing = new Set<Promise<void>>()
  readonly #listener: LifeListener
  readonly #taskListener: TaskListener
  #closed = false

  constructor(deps: SupervisorDeps, listener: LifeListener) {
    this.#deps = deps
    this.#listener = listener
    this.#taskListener = {
      started: (task, start) => this.#started(task, start),
      exited: (task, end) => this.#ifKnown(task, () => listener.exited(task, end)),
      oom: (task) => this.#ifKnown(task, () => listener.oom(task)),
    }
  }

  /** The task of a container whose process has not ended. */
  running(id: string): Task | undefined {
    const task = this.#tasks.get(id)
    return task?.ended === false ? task : undefined
  }

  /**
   * Sends a signal to the process of a container; `false` when it has ended. A shim that does not answer loses nobody's
   * time: another signal than SIGKILL is given up, and with SIGKILL it is killed itself, which ends its process too.
   */
  async signal(task: Task, signal: number, { discard = false } = {}): Promise<boolean> {
    const { clock, logger } = this.#deps
    const asked = (async () => {
      if (discard) await task.shim.discard()
      return task.shim.kill('init', signal)
    })()
    if (await settlesWithin(clock, SHIM_PATIENCE, asked)) return asked
    asked.catch(() => undefined)
    logger.warn('the supervisor of a container does not answer', { container: task.id, signal })
    if (signal === SIGKILL) await this.#killShim(task)
    return true
  }

  /** Resolves when nothing of an earlier life is left, addresses and directories included. */
  async settled(id: string): Promise<void> {
    await this.#releases.get(id)
  }

  /**
   * Starts the container's process and records it as running. On failure nothing is left, the reason is recorded, and
   * the error has Docker's wording.
   */
  async launch(container: Container, options: LaunchOptions = {}): Promise<Task> {
    if (this.#closed)
      throw new EngineError('unavailable', 'the engine is shutting down', { code: 'SHUTDOWN' })
    const launch = this.#launch(container, options)
    this.#launches.add(launch)
    try {
      return await launch
    } catch (error) {
      this.#deps.attachments.abandon(container.id)
      this.#listener.failed(container.id, error)
      throw error
    } finally {
      this.#launches.delete(launch)
    }
  }

  /** Takes over a shim that was found alive when the daemon started. */
  adopt(container: Container, shim: Task['shim']): Task {
    return this.#supervise(container, shim, { adopted: true })
  }

  /** Stops looking after the containers, which go on; those that are being started are started first. */
  async close(): Promise<void> {
    this.#closed = true
    const launched = Promise.allSettled(this.#launches)
    if (!(await settlesWithin(this.#deps.clock, CLOSE_PATIENCE, launched))) {
      this.#deps.logger.warn('containers that are being started are left as they are')
    }
    for (const task of this.#tasks.values()) task.leave()
  }

  async #launch(container: Container, options: LaunchOptions): Promise<Task> {
    const { id } = container
    const { networks, names, bundles, shims, paths, attachments, directories, mountSources } = this.#deps
    await this.settled(id)
    options.signal?.throwIfAborted()
    // Undone, newest first, unless the process has started.
    await using acquired = new AsyncDisposableStack()

    const endpoints = await this.#lease(container)
    acquired.defer(() => networks.release(id))
    await Promise.all([directories.make(paths(id).data), directories.make(paths(id).runtime)])
    acquired.defer(() => this.#tidy('directory', id, () => directories.remove(paths(id).runtime)))
    const sources = await mountSources.acquire(container)
    acquired.defer(() => this.#tidy('mounts', id, () => mountSources.release(id)))
    const config = await bundles.write(container, endpoints, sources)

    const shim = await shims.spawn(paths(id).runtime, config)
    const task = this.#supervise(container, shim, { adopted: false })
    acquired.defer(() => this.#tidy('process', id, () => this.#abandon(task, container, config.runtime)))
    const publishing = endpoints.length === 0 ? Promise.resolve([]) : this.#publish(container, endpoints)
    const named = task.ready.then(() => names.join(container, endpoints, shim.pid))
    // Both are waited for, whichever fails: what is half published could not be taken back.
    await Promise.allSettled([publishing, named])
    const ports = await publishing
    await named
    await mountSources.pinned(id, shim.pid)
    await attachments.connect(id, shim)
    options.signal?.throwIfAborted()

    this.#launching.set(id, {
      shimPid: shim.pid,
      runtime: config.runtime,
      endpoints,
      ports,
      change: options.with,
    })
    acquired.defer(() => void this.#launching.delete(id))

    // Point of no return: from here the process may exist, and only its end undoes anything.
    await this.#begin(task, container)
    await task.started
    acquired.move()
    return task
  }

  /** An address is free for the next container once the supervisor of the last one has ended. */
  async #lease(container: Container): Promise<readonly Endpoint[]> {
    const { endpoints, clock } = this.#deps
    try {
      return endpoints.lease(container)
    } catch (error) {
      const ending = [...this.#tasks.values()].filter(({ ended }) => ended)
      if (ending.length === 0) throw networkingFailed(error)
      await settlesWithin(clock, RELEASE_PATIENCE, Promise.all(ending.map(({ id }) => this.settled(id))))
    }
    try {
      return endpoints.lease(container)
    } catch (error) {
      throw networkingFailed(error)
    }
  }

  /** A port is free for the next container once it is not published for the last one any more. */
  async #publish(container: Container, endpoints: readonly Endpoint[]): Promise<readonly PublishedPort[]> {
    await Promise.all(this.#unpublishing)
    try {
      return await this.#deps.endpoints.publish(container, endpoints)
    } catch (error) {
      throw networkingFailed(error)
    }
  }

  #started(task: Task, start: TaskStart): void {
    const { bootId, registry } = this.#deps
    const launching = this.#launching.get(task.id)
    if (launching === undefined) return
    this.#launching.delete(task.id)
    const { change, ...launched } = launching
    const { pid, startTime, at } = start
    const previousEnd = lastOf(registry.resolve(task.id).state)?.finishedAt
    const before = previousEnd === undefined ? {} : { previousEnd }
    const run: Run = { pid, startTime, bootId, startedAt: at.toISOString(), ...before, ...launched }
    registry.update(task.id, { ...change, state: { status: 'running', run } })
    this.#listener.started(task, start)
  }

  /** A process that nobody was told about, since its start has failed, ends untold. */
  #ifKnown(task: Task, tell: () => void): void {
    const container = this.#deps.registry.get(task.id)
    if (container !== undefined && runOf(container.state) !== undefined) tell()
  }

  async #begin(task: Task, container: Container): Promise<void> {
    try {
      await task.shim.start()
    } catch (error) {
      // It runs: only the answer was lost.
      if (task.begun) return
      throw startFailed(container.id, startError(container.path, messageOf(error)))
    }
  }

  #supervise(container: Container, shim: Task['shim'], { adopted }: { readonly adopted: boolean }): Task {
    const { logger, background } = this.#deps
    const lost = (task: Task): Promise<TaskEnd | undefined> => this.#lost(task)
    const task = new Task(container.id, shim, { listener: this.#taskListener, lost, logger, adopted })
    this.#tasks.set(container.id, task)
    const released = this.#release(task)
    this.#releases.set(container.id, released)
    background.run('cleaning up after a container', () => released)
    return task
  }

  /** Ends a life that was not to be. */
  async #abandon(task: Task, { hostConfig }: Container, runtime: string): Promise<void> {
    await task.shim.discard()
    await task.shim.kill('init', SIGKILL)
    await this.settled(task.id)
    // A runtime that has failed may leave control groups of a container that it does not know.
    await this.#deps.remains.end({ id: task.id, runtime }, hostConfig)
  }

  /** Gives back what a life had, once its process has ended. Never rejects. */
  async #release(task: Task): Promise<void> {
    const { id } = task
    const { networks, paths, directories } = this.#deps
    await Promise.race([task.exited, task.gone])
    if (!task.left) {
      await this.#unpublish(id)
      await this.#tidy('names', id, () => this.#deps.names.leave(id))
      await this.#tidy('mounts', id, () => this.#deps.mountSources.release(id))
    }
    await task.gone
    // What a shim that was left alone is still at is for the next daemon.
    if (!task.left) {
      networks.release(id)
      await this.#tidy('directory', id, () => directories.remove(paths(id).runtime))
    }
    this.#tasks.delete(id)
    this.#releases.delete(id)
  }

  async #unpublish(id: string): Promise<void> {
    const unpublished = this.#tidy('ports', id, () => this.#deps.networks.unpublish(id))
    this.#unpublishing.add(unpublished)
    await unpublished
    this.#unpublishing.delete(unpublished)
  }

  /** What cannot be taken back does not keep the rest from being taken back; recovery tries again. */
  async #tidy(what: string, id: string, undo: () => Promise<unknown>): Promise<void> {
    try {
      await undo()
    } catch (error) {
      this.#deps.logger.error(`the ${what} of a container cannot be taken back`, { container: id, error })
    }
  }

  async #killShim(task: Task): Promise<void> {
    const { registry, helper } = this.#deps
    const container = registry.get(task.id)
    const run = container === undefined ? undefined : runOf(container.state)
    const startTime = run === undefined ? undefined : await processStartTime(run.shimPid)
    if (run !== undefined && startTime !== undefined) await helper.kill(run.shimPid, startTime, SIGKILL)
  }

  /** The shim was killed: without it there is no stdio and no exit code, so the process is ended and that is said. */
  async #lost(task: Task): Promise<TaskEnd | undefined> {
    const { shims, paths, registry, helper, remains, clock } = this.#deps
    if ((await shims.connect(paths(task.id).runtime)) !== undefined) {
      await clock.sleep(WATCH_AGAIN)
      return undefined
    }
    const container = registry.get(task.id)
    const run = container === undefined ? undefined : runOf(container.state)
    const record = await shims.exitRecord(paths(task.id).exitRecord)
    if (record !== undefined) return { ...record, error: '' }
    if (run !== undefined) await helper.kill(run.pid, run.startTime, SIGKILL)
    await remains.end({ id: task.id, runtime: run?.runtime }, container?.hostConfig)
    const error = 'the supervisor of the container was killed; its process was ended'
    return { code: 137, oomKilled: false, at: clock.now(), error }
  }
}
