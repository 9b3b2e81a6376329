import type {
  ContainerUpdateResponse,
  ContainerWaitResponse,
  Resources,
  RestartPolicy,
} from '#api/generated/types.ts'
import { type Clock, settlesWithin } from '#base/clock.ts'
import { EngineError } from '#base/errors.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type { Cancellable, ContainerCreateBody, ContainerLifecycle, Filters } from '../services.ts'
import { cancelsRestart } from './config/restart.ts'
import { parseSignal, stopSignalOf } from './config/signals.ts'
import { validateName } from './config/names.ts'
import type { Container } from './container.ts'
import type { Creation } from './creation.ts'
import { notRunning, wrongState } from './errors.ts'
import type { ContainerEvents } from './events.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Removal } from './removal.ts'
import type { Restarts } from './restarts.ts'
import { lastOf } from './state.ts'
import type { Supervisor } from './supervisor.ts'
import type { Updates } from './updates.ts'
import type { WaitCondition, Waiters } from './waiters.ts'

export interface StopOptions {
  readonly timeout?: number | undefined
  readonly signal?: string | undefined
}

export interface LifecycleDeps {
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly supervisor: Supervisor
  readonly creation: Creation
  readonly removal: Removal
  readonly restarts: Restarts
  readonly updates: Updates
  readonly runtime: OciRuntime
  readonly waiters: Waiters
  readonly events: ContainerEvents
  readonly clock: Clock
}

const DEFAULT_STOP_TIMEOUT = 10
const SIGKILL = 9
const conditions: readonly string[] = ['not-running', 'next-exit', 'removed']

/** From create to remove. Every change of one container runs under its lock; reads never take it. */
export class Lifecycle implements ContainerLifecycle {
  readonly #deps: LifecycleDeps

  constructor(deps: LifecycleDeps) {
    this.#deps = deps
  }

  create(
    body: ContainerCreateBody,
    options: { readonly name?: string | undefined; readonly platform?: string | undefined },
  ): Promise<{ Id: string; Warnings: string[] }> {
    return this.#deps.creation.create(body, options)
  }

  async start(ref: string, options: Cancellable = {}): Promise<boolean> {
    using locked = await this.#lock(ref, options)
    const { id, state } = locked.container
    switch (state.status) {
      case 'running':
        return false
      case 'paused':
        throw wrongState(id, 'cannot start a paused container, try unpause instead')
      case 'removing':
      case 'dead':
        throw wrongState(id, 'container is marked for removal and cannot be started')
      case 'restarting':
        this.#deps.restarts.cancel(id)
        break
      case 'created':
      case 'exited':
    }
    const container = this.#deps.registry.update(id, { stoppedByHand: false, restartCount: 0 })
    this.#deps.restarts.reset(id)
    try {
      await this.#deps.supervisor.launch(container, options)
    } catch (error) {
      if (container.hostConfig.AutoRemove === true) this.#deps.removal.later(id)
      throw error
    }
    return true
  }

  async stop(ref: string, options: StopOptions = {}): Promise<boolean> {
    using locked = await this.#lock(ref)
    return await this.#stop(locked.container, options)
  }

  async restart(ref: string, options: StopOptions = {}): Promise<void> {
    using locked = await this.#lock(ref)
    const { id } = locked.container
    if (locked.container.hostConfig.AutoRemove === true) this.#deps.removal.keep(id)
    await this.#stop(locked.container, options)
    const container = this.#deps.registry.update(id, { stoppedByHand: false, restartCount: 0 })
    await this.#deps.supervisor.launch(container)
    this.#deps.events.publish(container, 'restart')
  }

  async kill(ref: string, signal: string | undefined): Promise<void> {
    const number = parseSignal(signal === undefined || signal === '' ? 'SIGKILL' : signal)
    using locked = await this.#lock(ref)
    const { container } = locked
    const task = this.#deps.supervisor.running(container.id)
    if (container.state.status === 'restarting') return this.#cancelRestart(container)
    if (task === undefined) throw notRunning(container.id)
    if (cancelsRestart(number, container.config.StopSignal))
      this.#deps.registry.update(container.id, { stoppedByHand: true })
    if (number === SIGKILL && container.state.status === 'paused') await this.#unpause(container)
    this.#deps.events.publish(container, 'kill', { signal: String(number) })
    // A process that has just ended by itself is as dead as was wanted: its state follows.
    const gone = !(await task.shim.kill('init', number))
    if (gone || number === SIGKILL) await task.exited
  }

  async pause(ref: string): Promise<void> {
    using locked = await this.#lock(ref)
    const { id, state } = locked.container
    if (state.status === 'paused') throw wrongState(id, `container ${id} is already paused`)
    if (state.status !== 'running') throw notRunning(id)
    await this.#freeze(id)
    const paused = this.#deps.registry.update(id, { state: { status: 'paused', run: state.run } })
    this.#deps.events.publish(paused, 'pause')
  }

  async unpause(ref: string): Promise<void> {
    using locked = await this.#lock(ref)
    const { id, state } = locked.container
    if (state.status !== 'paused') throw wrongState(id, `container ${id} is not paused`)
    await this.#unpause(locked.container)
  }

  async rename(ref: string, name: string): Promise<void> {
    using locked = await this.#lock(ref)
    const { container } = locked
    const wanted = validateName(name)
    if (wanted === container.name) {
      throw new EngineError(
        'invalid_argument',
        'renaming a container with the same name as its current name',
        {
          code: 'CONTAINER_SAME_NAME',
        },
      )
    }
    const renamed = this.#deps.registry.update(container.id, { name: wanted })
    this.#deps.events.publish(renamed, 'rename', { oldName: `/${container.name}` })
    await this.#deps.registry.durable()
  }

  async update(
    ref: string,
    body: Resources & { readonly RestartPolicy?: RestartPolicy | null | undefined },
  ): Promise<ContainerUpdateResponse> {
    using locked = await this.#lock(ref)
    const warnings = await this.#deps.updates.apply(locked.container, body)
    return { Warnings: warnings }
  }

  async remove(
    ref: string,
    options: { readonly force: boolean; readonly volumes: boolean; readonly link: boolean },
  ): Promise<void> {
    const { id } = this.#deps.registry.resolve(ref)
    await this.#deps.removal.remove(id, options)
  }

  prune(filters: Filters): Promise<{ ContainersDeleted: string[]; SpaceReclaimed: number }> {
    return this.#deps.removal.prune(filters)
  }

  wait(
    ref: string,
    condition: string | undefined,
    options: Cancellable = {},
  ): { readonly result: Promise<ContainerWaitResponse> } {
    const { registry, waiters } = this.#deps
    const wanted = condition === undefined || condition === '' ? 'not-running' : condition
    if (!isCondition(wanted)) {
      throw new EngineError('invalid_argument', `invalid condition: "${wanted}"`, { code: 'WAIT_CONDITION' })
    }
    const { id, state } = registry.resolve(ref)
    const runs = state.status === 'running' || state.status === 'paused' || state.status === 'restarting'
    if (wanted === 'not-running' && !runs) {
      return { result: Promise.resolve({ StatusCode: lastOf(state)?.exitCode ?? 0 }) }
    }
    return { result: waiters.wait(id, wanted, options.signal) }
  }

  /** The container as it is once its lock is held. A name may lead to another one by then. */
  async #lock(
    ref: string,
    options: Cancellable = {},
  ): Promise<Disposable & { readonly container: Container }> {
    const { registry, locks } = this.#deps
    for (;;) {
      const { id } = registry.resolve(ref)
      const lock = await locks.acquire(id, options)
      const container = registry.get(id)
      if (container !== undefined) return { container, [Symbol.dispose]: () => lock[Symbol.dispose]() }
      lock[Symbol.dispose]()
    }
  }

  async #stop(container: Container, options: StopOptions): Promise<boolean> {
    const { registry, supervisor, events } = this.#deps
    if (container.state.status === 'restarting') {
      this.#cancelRestart(container)
      return true
    }
    const task = supervisor.running(container.id)
    if (task === undefined) return false
    const signal =
      options.signal === undefined ? stopSignalOf(container.config.StopSignal) : parseSignal(options.signal)
    const seconds = options.timeout ?? container.config.StopTimeout ?? DEFAULT_STOP_TIMEOUT
    registry.update(container.id, { stoppedByHand: true })
    events.publish(container, 'kill', { signal: String(signal) })
    await task.shim.kill('init', signal)
    // A frozen process handles no signal.
    if (container.state.status === 'paused') await this.#unpause(container)
    if (!(await settlesWithin(this.#deps.clock, seconds * 1000, task.exited))) {
      events.publish(container, 'kill', { signal: String(SIGKILL) })
      await task.shim.kill('init', SIGKILL)
      await task.exited
    }
    events.publish(registry.get(container.id) ?? container, 'stop')
    return true
  }

  /** A process that ends while it is being frozen is no failure of freezing. */
  async #freeze(id: string): Promise<void> {
    try {
      await this.#deps.runtime.pause(id)
    } catch (error) {
      if (this.#deps.supervisor.running(id) === undefined) throw notRunning(id)
      throw error
    }
    if (this.#deps.supervisor.running(id) === undefined) throw notRunning(id)
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

  async #unpause(container: Container): Promise<void> {
    if (container.state.status !== 'paused') return
    await this.#deps.runtime.resume(container.id)
    // The process may have ended meanwhile; its end is what counts then.
    if (this.#deps.registry.get(container.id)?.state.status !== 'paused') return
    const running = this.#deps.registry.update(container.id, {
      state: { status: 'running', run: container.state.run },
    })
    this.#deps.events.publish(running, 'unpause')
  }
}

function isCondition(text: string): text is WaitCondition {
  return conditions.includes(text)
}
