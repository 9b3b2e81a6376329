import type { Machine } from '#runtime/machine.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import { linuxResources } from '#runtime/resources.ts'
import type { ChangedPorts, PortChanges } from '../networks/port-changes.ts'
import { type PublishChange, changesPorts } from './config/publishing.ts'
import { type UpdateBody, updateHostConfig } from './config/update.ts'
import type { Container } from './container.ts'
import { blockDeviceNumber } from './devices.ts'
import { wrongState } from './errors.ts'
import type { ContainerEvents } from './events.ts'
import type { LiftedLimits } from './lifted-limits.ts'
import type { ContainerRegistry } from './registry.ts'
import { resourcesOf } from './spec-input.ts'
import { runOf, startedOf } from './state.ts'

export interface UpdatesDeps {
  readonly registry: ContainerRegistry
  readonly runtime: OciRuntime
  readonly machine: Machine
  readonly events: ContainerEvents
  readonly ports: PortChanges
  readonly limits: Pick<LiftedLimits, 'lift'>
}

/** Docker's body, and what is ours in it. */
type Body = UpdateBody & { readonly Berth?: PublishChange | null | undefined }

/** Changes limits, restart policy and published ports of a container, in force at once. */
export class Updates {
  readonly #deps: UpdatesDeps

  constructor(deps: UpdatesDeps) {
    this.#deps = deps
  }

  /** Returns warnings. Nothing is changed when the runtime refuses, or a port is taken. */
  async apply(container: Container, body: Body): Promise<string[]> {
    const { machine, registry } = this.#deps
    if (container.state.status === 'removing' || container.state.status === 'dead') {
      throw wrongState(container.id, 'container is marked for removal and cannot be "update"')
    }
    const { hostConfig, warnings } = updateHostConfig(container.hostConfig, body, machine)
    const limited = { ...container, hostConfig }
    await this.#limit(limited)
    if (changesPorts(body.Berth)) await this.#publish(limited, body.Berth, container)
    else this.#commit(container.id, { hostConfig })
    await registry.durable()
    return [...warnings]
  }

  /** `before`: what its limits were. */
  async #publish(container: Container, change: PublishChange, before: Container): Promise<void> {
    const { ports: changes, registry } = this.#deps
    let changed: ChangedPorts
    try {
      changed = await changes.apply(container, change)
    } catch (error) {
      await this.#limit(before)
      throw error
    }
    const { ports, ...documents } = changed
    const { state } = registry.resolve(container.id)
    if (ports === undefined) this.#commit(container.id, documents)
    else if (state.status === 'running' || state.status === 'paused') {
      this.#commit(container.id, { ...documents, state: { ...state, run: { ...state.run, ports } } })
    } else {
      await changes.discard(container)
      this.#commit(container.id, documents)
    }
  }

  #commit(id: string, change: Partial<Container>): void {
    const { registry, events } = this.#deps
    events.publish(registry.update(id, change), 'update')
  }

  /** A process that ends meanwhile has no limits any more; the next one gets them. */
  async #limit(container: Container): Promise<void> {
    const { registry, runtime, machine, limits } = this.#deps
    const { id, state, hostConfig } = container
    if (runOf(state) === undefined) return
    const resources = resourcesOf(hostConfig, blockDeviceNumber)
    try {
      await runtime.update(
        startedOf(container),
        linuxResources(resources, machine.cgroupVersion, { update: true }),
      )
      limits.lift(id, hostConfig)
    } catch (error) {
      if (runOf(registry.resolve(id).state) !== undefined) throw error
    }
  }
}
