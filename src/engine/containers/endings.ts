import { type Clock, settlesWithin } from '#base/clock.ts'
import { isKind } from '#base/errors.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import { cancelsRestart } from './config/restart.ts'
import { parseSignal, stopSignalOf } from './config/signals.ts'
import type { ContainerSettings } from './config/defaults.ts'
import type { Container } from './container.ts'
import { notRunning, survivedKill } from './errors.ts'
import type { ContainerEvents } from './events.ts'
import type { Freezer } from './freezer.ts'
import { lockContainer } from './locked.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Removal } from './removal.ts'
import type { Restarts } from './restarts.ts'
import { lastOf } from './state.ts'
import type { Supervisor } from './supervisor.ts'
import { KILL_PATIENCE, type Task } from './task.ts'
import type { Waiters } from './waiters.ts'

export interface StopOptions {
  /** Seconds; -1 waits for ever. */
  readonly timeout?: number | undefined
  readonly signal?: string | undefined
}

export interface EndingsDeps {
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly supervisor: Supervisor
  readonly restarts: Restarts
  readonly removal: Removal
  readonly freezer: Freezer
  readonly waiters: Waiters
  readonly events: ContainerEvents
  readonly clock: Clock
  readonly settings: () => Pick<ContainerSettings, 'stopTimeout'>
}

const SIGKILL = 9

/**
 * Ends processes, politely or not. The lock is held while a signal is sent and never while a process takes its time: who
 * waits for a stop keeps nobody from killing or removing the container.
 */
export class Endings {
  readonly #deps: EndingsDeps

  constructor(deps: EndingsDeps) {
    this.#deps = deps
  }

  /** `false`: it was not running. */
  async stop(ref: string, options: StopOptions): Promise<boolean> {
    const { registry, events, clock } = this.#deps
    const asked = await this.#ask(ref, options)
    if (typeof asked === 'boolean') return asked
    const { task, seconds } = asked
    if (!(await settlesWithin(clock, seconds * 1000, task.exited))) await this.#force(task)
    const container = registry.get(task.id)
    if (container !== undefined) events.publish(container, 'stop')
    return true
  }

  /** Sends a signal; resolves when the process has ended if the signal was SIGKILL. */
  async kill(ref: string, signal: string | undefined): Promise<void> {
    const number = parseSignal(signal === undefined || signal === '' ? 'SIGKILL' : signal)
    const { task, gone } = await this.#kill(ref, number)
    if (task === undefined) return
    // A process that has just ended by itself is as dead as was wanted: its state follows.
    if (gone || number === SIGKILL) await this.#awaitEnd(task)
  }

  async #ask(
    ref: string,
    options: StopOptions,
  ): Promise<boolean | { readonly task: Task; readonly seconds: number }> {
    const { registry, supervisor, settings } = this.#deps
    using locked = await lockContainer(this.#deps, ref)
    const { container } = locked
    const { StopSignal, StopTimeout } = container.config
    const signal = options.signal === undefined ? stopSignalOf(StopSignal) : parseSignal(options.signal)
    if (container.state.status === 'restarting') {
      this.#cancelRestart(container)
      return true
    }
    const task = supervisor.running(container.id)
    if (task === undefined) return false
    registry.update(container.id, { stoppedByHand: true })
    // A frozen process handles no signal.
    await this.#send(container, task, signal, { thaw: true })
    return { task, seconds: options.timeout ?? StopTimeout ?? settings().stopTimeout }
  }

  async #kill(
    ref: string,
    signal: number,
  ): Promise<{ readonly task?: Task | undefined; readonly gone: boolean }> {
    const { registry, supervisor } = this.#deps
    using locked = await lockContainer(this.#deps, ref)
    const { container } = locked
    if (container.state.status === 'restarting') {
      this.#cancelRestart(container)
      return { gone: true }
    }
    const task = supervisor.running(container.id)
    if (task === undefined) throw notRunning(container.id)
    const ends = cancelsRestart(signal, container.config.StopSignal)
    if (ends) registry.update(container.id, { stoppedByHand: true })
    return { task, gone: !(await this.#send(container, task, signal, { thaw: ends })) }
  }

  /** Time is over. */
  async #force(task: Task): Promise<void> {
    await this.#sendKill(task)
    await this.#awaitEnd(task)
  }

  async #sendKill(task: Task): Promise<void> {
    try {
      using locked = await lockContainer(this.#deps, task.id)
      if (!task.ended) await this.#send(locked.container, task, SIGKILL, { thaw: true })
    } catch (error) {
      // Somebody has removed it, process and all.
      if (!isKind(error, 'not_found')) throw error
    }
  }

  /** `false` when there was no process any more. */
  async #send(
    container: Container,
    task: Task,
    signal: number,
    { thaw }: { readonly thaw: boolean },
  ): Promise<boolean> {
    const { events, freezer } = this.#deps
    events.publish(container, 'kill', { signal: String(signal) })
    const sent = await this.#deps.supervisor.signal(task, signal)
    if (thaw) await freezer.thaw(container)
    return sent
  }

  async #awaitEnd(task: Task): Promise<void> {
    if (!(await settlesWithin(this.#deps.clock, KILL_PATIENCE, task.exited))) throw survivedKill(task.id)
  }

  #cancelRestart(container: Container): void {
    const { restarts, registry, waiters, removal } = this.#deps
    restarts.cancel(container.id)
    const last = lastOf(container.state)
    if (last === undefined) return
    registry.update(container.id, { state: { status: 'exited', last }, stoppedByHand: true })
    waiters.exited(container.id, last.exitCode, last.error)
    if (container.hostConfig.AutoRemove === true) removal.later(container.id)
  }
}
