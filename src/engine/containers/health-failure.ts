import type { Background } from '#base/background.ts'
import type { Clock } from '#base/clock.ts'
import { isKind } from '#base/errors.ts'
import type { ContainerLifecycle } from '../services.ts'
import { failureAction } from './config/health.ts'
import type { Container } from './container.ts'
import type { ContainerEvents } from './events.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Supervisor } from './supervisor.ts'

export interface HealthFailureDeps {
  readonly registry: ContainerRegistry
  readonly lifecycle: () => Pick<ContainerLifecycle, 'stop' | 'restart'>
  readonly supervisor: () => Pick<Supervisor, 'running' | 'signal'>
  readonly events: ContainerEvents
  readonly background: Background
  readonly clock: Clock
}

const SIGKILL = 9
/** Milliseconds after an action in which there is no other: the first, which doubles, and the longest. */
const FIRST_COOLDOWN = 10_000
const LONGEST_COOLDOWN = 300_000
/** Who was healthy for so long, in milliseconds, begins anew. */
const FORGIVEN = 600_000

/** What is done with a container that turns unhealthy, as it says itself; nothing, by default, as in Docker. */
export class HealthFailure {
  readonly #deps: HealthFailureDeps
  readonly #over = new AbortController()
  readonly #acted = new Map<string, { readonly at: number; readonly cooldown: number }>()

  constructor(deps: HealthFailureDeps) {
    this.#deps = deps
  }

  /** Acts once the cooldown is over, unless it has become healthy by then. */
  act(container: Container): void {
    const action = failureAction(container.hostConfig.Annotations) ?? 'none'
    if (action === 'none') return
    this.#deps.background.run('acting on an unhealthy container', () => this.#act(container.id, action))
  }

  /** The daemon ends: who is still unhealthy is for the next one. */
  close(): void {
    this.#over.abort()
  }

  forget(id: string): void {
    this.#acted.delete(id)
  }

  async #act(id: string, action: 'kill' | 'stop' | 'restart'): Promise<void> {
    const { registry, events } = this.#deps
    const wait = this.#wait(id)
    if (!(await this.#waited(wait))) return
    const container = registry.get(id)
    if (container?.state.status !== 'running' || container.health !== 'unhealthy') return
    events.publish(container, 'health_on_failure', { action })
    try {
      await this.#carryOut(id, action)
    } catch (error) {
      // Somebody else has ended or removed it meanwhile.
      if (!isKind(error, 'conflict') && !isKind(error, 'not_found')) throw error
    }
  }

  /** False when it is over. */
  async #waited(milliseconds: number): Promise<boolean> {
    const { signal } = this.#over
    if (milliseconds === 0) return !signal.aborted
    try {
      await this.#deps.clock.sleep(milliseconds, { signal })
      return true
    } catch (error) {
      if (signal.aborted) return false
      throw error
    }
  }

  /** Milliseconds until it may be acted upon; counts this time as one. */
  #wait(id: string): number {
    const now = this.#deps.clock.now().getTime()
    const before = this.#acted.get(id)
    const fresh = before === undefined || now - before.at > FORGIVEN
    const wait = fresh ? 0 : Math.max(0, before.at + before.cooldown - now)
    const cooldown = fresh ? FIRST_COOLDOWN : Math.min(before.cooldown * 2, LONGEST_COOLDOWN)
    this.#acted.set(id, { at: now + wait, cooldown })
    return wait
  }

  async #carryOut(id: string, action: 'kill' | 'stop' | 'restart'): Promise<void> {
    const { lifecycle, supervisor } = this.#deps
    if (action === 'stop') await lifecycle().stop(id, {})
    else if (action === 'restart') await lifecycle().restart(id, {})
    else {
      // Not as by hand: what comes then is for the restart policy.
      const task = supervisor().running(id)
      if (task !== undefined) await supervisor().signal(task, SIGKILL)
    }
  }
}
