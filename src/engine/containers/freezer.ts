import { isKind } from '#base/errors.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type { Container } from './container.ts'
import { isRestarting, notRunning, wrongState } from './errors.ts'
import type { ContainerEvents } from './events.ts'
import type { ContainerRegistry } from './registry.ts'
import { runOf, startedOf } from './state.ts'

export interface FreezerDeps {
  readonly registry: ContainerRegistry
  readonly runtime: Pick<OciRuntime, 'pause' | 'resume'>
  readonly events: ContainerEvents
}

/** Makes containers stand still and go on. Callers hold the container's lock; the process may end all the same. */
export class Freezer {
  readonly #deps: FreezerDeps

  constructor(deps: FreezerDeps) {
    this.#deps = deps
  }

  async pause(container: Container): Promise<void> {
    const { registry, runtime, events } = this.#deps
    const { id, state } = container
    if (state.status === 'paused') throw wrongState(id, `Container ${id} is already paused`)
    if (state.status === 'restarting') throw isRestarting(id)
    if (state.status !== 'running') throw notRunning(id)
    try {
      await runtime.pause(startedOf(container))
    } catch (error) {
      // A process that ends while it is being frozen is no failure of freezing.
      if (this.#runs(id)) throw error
    }
    const run = this.#run(id)
    if (run === undefined) throw notRunning(id)
    registry.observe(id, { state: { status: 'paused', run } })
    events.publish(registry.resolve(id), 'pause')
  }

  async unpause(container: Container): Promise<void> {
    const { id, state } = container
    if (state.status !== 'paused') throw wrongState(id, `Container ${id} is not paused`)
    await this.thaw(container)
  }

  /** Lets a container go on if it is paused; one that has ended meanwhile needs nothing. */
  async thaw(container: Container): Promise<void> {
    const { registry, runtime, events } = this.#deps
    const { id, state } = container
    if (state.status !== 'paused') return
    try {
      await runtime.resume(startedOf(container))
    } catch (error) {
      if (!isKind(error, 'conflict')) throw error
    }
    const run = this.#run(id)
    if (run === undefined) return
    registry.observe(id, { state: { status: 'running', run } })
    events.publish(registry.resolve(id), 'unpause')
  }

  #runs(id: string): boolean {
    return this.#run(id) !== undefined
  }

  #run(id: string) {
    const container = this.#deps.registry.get(id)
    return container === undefined ? undefined : runOf(container.state)
  }
}
