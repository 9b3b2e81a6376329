import type { Logger } from '#base/logger.ts'
import type { ExitEvent, Shim, ShimEvent } from '#runtime/shim.ts'

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
  started(task: Task, start: TaskStart): void
  exited(task: Task, end: TaskEnd): void
  oom(task: Task): void
}

/** Says how a task ended whose shim vanished without telling. */
export type LostTask = (task: Task) => Promise<TaskEnd>

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
  /** Nothing of this life is left but its exit record. */
  readonly gone: Promise<void>
  readonly #ready = Promise.withResolvers<void>()
  readonly #started = Promise.withResolvers<TaskStart>()
  readonly #exited = Promise.withResolvers<TaskEnd>()
  readonly #execs = new Map<string, PromiseWithResolvers<number>>()
  readonly #listener: TaskListener
  readonly #lost: LostTask
  readonly #left = new AbortController()
  #hasStarted = false
  #hasEnded = false
  #failure = 'the supervisor of the container is gone'

  constructor(id: string, shim: Shim, listener: TaskListener, lost: LostTask, logger: Logger) {
    this.id = id
    this.shim = shim
    this.#listener = listener
    this.#lost = lost
    this.ready = handled(this.#ready.promise)
    this.started = handled(this.#started.promise)
    this.exited = this.#exited.promise
    this.gone = this.#follow().catch((error: unknown) => logger.error('task lost', { container: id, error }))
  }

  get ended(): boolean {
    return this.#hasEnded
  }

  /** Exit code of an exec of this task, also when it has ended already. */
  execExit(execId: string): Promise<number> {
    return this.#exec(execId).promise
  }

  /** The daemon ends and the container goes on: nothing is reported any more. */
  leave(): void {
    this.#left.abort()
  }

  get left(): boolean {
    return this.#left.signal.aborted
  }

  async #follow(): Promise<void> {
    for await (const event of this.shim.watch({ signal: this.#left.signal })) this.#on(event)
    if (this.left) return
    if (this.#hasStarted && !this.#hasEnded) this.#end(await this.#lost(this))
    const error = new Error(this.#failure)
    this.#ready.reject(error)
    this.#started.reject(error)
    for (const exec of this.#execs.values()) exec.resolve(UNKNOWN_EXIT)
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
        this.#hasStarted = true
        this.#listener.started(this, event)
        this.#started.resolve(event)
        return
      case 'oom':
        this.#listener.oom(this)
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

  #end(end: TaskEnd): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#listener.exited(this, end)
    this.#exited.resolve(end)
  }

  #exec(execId: string): PromiseWithResolvers<number> {
    const exec = this.#execs.get(execId) ?? Promise.withResolvers<number>()
    this.#execs.set(execId, exec)
    return exec
  }
}

/** Killed together with its container, or lost with the shim. */
const UNKNOWN_EXIT = 137

/** The rejection is for whoever asks; when nobody does it is not an accident. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}
