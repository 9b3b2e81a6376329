import { EngineError } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { ExitEvent, Shim, ShimEvent } from '#runtime/shim.ts'
import { setupFailed } from './errors.ts'

/** How a process ended; `error` is empty unless that is not known exactly. */
export interface TaskEnd extends Omit<ExitEvent, 'type'> {
  readonly error: string
}

export type TaskStart = Omit<Extract<ShimEvent, { type: 'started' }>, 'type'>

/**
 * What the engine does when something happens to a task. All run synchronously and in the order of the events, so the
 * container's state never lags behind what a waiter was told.
 */
export interface TaskListener {
  /** What it throws is the reason why the start has failed. */
  started(task: Task, start: TaskStart): void
  exited(task: Task, end: TaskEnd): void
  oom(task: Task): void
}

export interface TaskDeps {
  readonly listener: TaskListener
  /** Says how a task ended whose shim vanished without telling; undefined when the shim is there after all. */
  readonly lost: (task: Task) => Promise<TaskEnd | undefined>
  readonly logger: Logger
  /** The process is known to run already: a former daemon has started it. */
  readonly adopted?: boolean | undefined
}

/** Milliseconds that the kernel is given to end a process that was killed. */
export const KILL_PATIENCE = 10_000
/** Milliseconds for the answer of a shim to a request that takes it no time. */
export const SHIM_PATIENCE = 5000

/** The engine's hold on one life of a container's process, from the shim's birth to its last clean-up. */
export class Task {
  readonly id: string
  readonly shim: Shim
  /** The shim has mounts and network; rejects with its reason when it could not. */
  readonly ready: Promise<void>
  /** The process runs; rejects with the runtime's text. */
  readonly started: Promise<TaskStart>
  /** The process has ended and the container's state says so. */
  readonly exited: Promise<TaskEnd>
  /** Nothing of this life is left but its exit record; or the daemon has left it alone. */
  readonly gone: Promise<void>
  readonly #ready = Promise.withResolvers<void>()
  readonly #started = Promise.withResolvers<TaskStart>()
  readonly #exited = Promise.withResolvers<TaskEnd>()
  readonly #execs = new Map<string, PromiseWithResolvers<number | undefined>>()
  readonly #deps: TaskDeps
  readonly #left = new AbortController()
  #begun: boolean
  #watches = 0
  #hasEnded = false
  #isGone = false
  #failure: string | undefined

  constructor(id: string, shim: Shim, deps: TaskDeps) {
    this.id = id
    this.shim = shim
    this.#deps = deps
    this.#begun = deps.adopted === true
    this.ready = handled(this.#ready.promise)
    this.started = handled(this.#started.promise)
    this.exited = this.#exited.promise
    this.gone = this.#follow()
  }

  /** The process has been seen to run. */
  get begun(): boolean {
    return this.#begun
  }

  get ended(): boolean {
    return this.#hasEnded
  }

  /** What the shim tells now may have been told before, to this daemon or another one. */
  get replays(): boolean {
    return this.#deps.adopted === true || this.#watches > 1
  }

  /** Exit code of an exec of this task, also when it has ended already; undefined when the daemon ends before it. */
  async execExit(execId: string): Promise<number | undefined> {
    const code = await this.#exec(execId).promise
    this.#execs.delete(execId)
    return code
  }

  /** The daemon ends and the container goes on: nothing is reported any more. */
  leave(): void {
    this.#left.abort()
  }

  get left(): boolean {
    return this.#left.signal.aborted
  }

  /** Never rejects. */
  async #follow(): Promise<void> {
    for (;;) {
      await this.#watch()
      if (this.left || this.#hasEnded || this.#failure !== undefined) break
      const end = await this.#lost()
      // It is there after all, and tells everything again.
      if (end === undefined) continue
      if (this.#begun) this.#end(end)
      break
    }
    this.#isGone = true
    const error = this.left
      ? leaving()
      : setupFailed(this.#failure ?? 'the supervisor of the container is gone')
    this.#ready.reject(error)
    this.#started.reject(error)
    for (const exec of this.#execs.values()) exec.resolve(this.#execCodeAtEnd)
  }

  async #watch(): Promise<void> {
    this.#watches += 1
    try {
      for await (const event of this.shim.watch({ signal: this.#left.signal })) this.#on(event)
    } catch (error) {
      this.#deps.logger.error('a container cannot be watched', { container: this.id, error })
    }
  }

  async #lost(): Promise<TaskEnd | undefined> {
    const { lost, logger } = this.#deps
    try {
      return await lost(this)
    } catch (error) {
      logger.error('what a lost supervisor left cannot be ended', { container: this.id, error })
      return {
        code: UNKNOWN_EXIT,
        oomKilled: false,
        at: new Date(),
        error: 'the supervisor of the container was lost',
      }
    }
  }

  #on(event: ShimEvent): void {
    switch (event.type) {
      case 'ready':
        this.#ready.resolve()
        return
      case 'error':
      case 'failed':
        this.#failure = event.message
        return
      case 'started':
        this.#start(event)
        return
      case 'oom':
        this.#deps.listener.oom(this)
        return
      case 'exit':
        this.#end({ ...event, error: '' })
        return
      case 'exec-exit':
        this.#exec(event.exec).resolve(event.code)
        return
      case 'exec-started':
      case 'exec-failed':
        return
    }
  }

  #start(start: TaskStart): void {
    const first = !this.#begun
    this.#begun = true
    try {
      if (first) this.#deps.listener.started(this, start)
      this.#started.resolve(start)
    } catch (error) {
      this.#started.reject(error)
    }
  }

  #end(end: TaskEnd): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    try {
      this.#deps.listener.exited(this, end)
    } finally {
      this.#exited.resolve(end)
    }
  }

  #exec(execId: string): PromiseWithResolvers<number | undefined> {
    const exec = this.#execs.get(execId) ?? Promise.withResolvers<number | undefined>()
    this.#execs.set(execId, exec)
    if (this.#isGone) exec.resolve(this.#execCodeAtEnd)
    return exec
  }

  get #execCodeAtEnd(): number | undefined {
    return this.left ? undefined : UNKNOWN_EXIT
  }
}

/** Killed together with its container, or lost with the shim. */
const UNKNOWN_EXIT = 137

function leaving(): EngineError {
  return new EngineError('unavailable', 'the engine is shutting down', { code: 'SHUTDOWN' })
}

/** The rejection is for whoever asks; when nobody does it is not an accident. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}
