import type { Background } from '#base/background.ts'
import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import type { ContainerRegistry } from './registry.ts'
import type { StartOrder } from './start-order.ts'
import type { Supervisor } from './supervisor.ts'

export interface RestartsDeps {
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly supervisor: () => Supervisor
  readonly background: Background
  readonly order: Pick<StartOrder, 'turn'>
  readonly clock: Clock
  readonly logger: Logger
}

/** Carries out what the restart policy decided: waits out the back-off and starts again, unless somebody cancels. */
export class Restarts {
  readonly #deps: RestartsDeps
  readonly #pending = new Map<string, AbortController>()
  /** Milliseconds of the last back-off, per container. */
  readonly #backoff = new Map<string, number>()
  #begun = false

  constructor(deps: RestartsDeps) {
    this.#deps = deps
  }

  /** Until it is called nothing is started: while the daemon recovers, addresses may still belong to others. */
  begin(): void {
    this.#begun = true
  }

  lastBackoff(id: string): number {
    return this.#backoff.get(id) ?? 0
  }

  schedule(id: string, milliseconds: number): void {
    this.#backoff.set(id, milliseconds)
    this.#begin(id, (signal) => this.#deps.clock.sleep(milliseconds, { signal }))
  }

  /** The daemon starts: at once, but after those that it depends on. */
  scheduleInOrder(id: string): void {
    this.#backoff.set(id, 0)
    this.#begin(id, (signal) => this.#deps.order.turn(id, signal))
  }

  /** Synchronous: once it returns, no restart begins. */
  cancel(id: string): void {
    this.#pending.get(id)?.abort()
    this.#pending.delete(id)
  }

  reset(id: string): void {
    this.#backoff.delete(id)
  }

  close(): void {
    this.#begun = false
    for (const pending of this.#pending.values()) pending.abort()
    this.#pending.clear()
  }

  #begin(id: string, turn: (signal: AbortSignal) => Promise<void>): void {
    this.cancel(id)
    if (!this.#begun) return
    const pending = new AbortController()
    this.#pending.set(id, pending)
    this.#deps.background.run('restarting a container', () => this.#restart(id, turn, pending.signal))
  }

  async #restart(
    id: string,
    turn: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { registry, locks, supervisor, logger } = this.#deps
    try {
      await turn(signal)
      using _lock = await locks.acquire(id, { signal })
      const container = registry.get(id)
      if (signal.aborted || container?.state.status !== 'restarting') return
      this.#pending.delete(id)
      await supervisor().launch(container, { with: { restartCount: container.restartCount + 1 } })
    } catch (error) {
      if (!signal.aborted) logger.warn('container could not be restarted', { container: id, error })
    }
  }
}
