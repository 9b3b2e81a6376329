import type { Background } from '#base/background.ts'
import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Supervisor } from './supervisor.ts'

export interface RestartsDeps {
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly supervisor: () => Supervisor
  readonly background: Background
  readonly clock: Clock
  readonly logger: Logger
}

/** Carries out what the restart policy decided: waits out the back-off and starts again, unless somebody cancels. */
export class Restarts {
  readonly #deps: RestartsDeps
  readonly #pending = new Map<string, AbortController>()
  /** Milliseconds of the last back-off, per container. */
  readonly #backoff = new Map<string, number>()

  constructor(deps: RestartsDeps) {
    this.#deps = deps
  }

  lastBackoff(id: string): number {
    return this.#backoff.get(id) ?? 0
  }

  schedule(id: string, milliseconds: number): void {
    this.cancel(id)
    const pending = new AbortController()
    this.#pending.set(id, pending)
    this.#backoff.set(id, milliseconds)
    this.#deps.background.run('restarting a container', () => this.#restart(id, milliseconds, pending.signal))
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
    for (const pending of this.#pending.values()) pending.abort()
    this.#pending.clear()
  }

  async #restart(id: string, milliseconds: number, signal: AbortSignal): Promise<void> {
    const { registry, locks, supervisor, clock, logger } = this.#deps
    try {
      await clock.sleep(milliseconds, { signal })
      using _lock = await locks.acquire(id, { signal })
      const container = registry.get(id)
      if (signal.aborted || container?.state.status !== 'restarting') return
      this.#pending.delete(id)
      const counted = registry.update(id, { restartCount: container.restartCount + 1 })
      await supervisor().launch(counted)
    } catch (error) {
      if (!signal.aborted) logger.warn('container could not be restarted', { container: id, error })
    }
  }
}
