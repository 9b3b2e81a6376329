import type { Machine } from '#runtime/machine.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import { linuxResources } from '#runtime/resources.ts'
import { type UpdateBody, updateHostConfig } from './config/update.ts'
import type { Container } from './container.ts'
import { blockDeviceNumber } from './devices.ts'
import { wrongState } from './errors.ts'
import type { ContainerEvents } from './events.ts'
import type { ContainerRegistry } from './registry.ts'
import { resourcesOf } from './spec-input.ts'
import { runOf } from './state.ts'

export interface UpdatesDeps {
  readonly registry: ContainerRegistry
  readonly runtime: OciRuntime
  readonly machine: Machine
  readonly events: ContainerEvents
}

/** Changes limits and restart policy of a container, in force at once. */
export class Updates {
  readonly #deps: UpdatesDeps

  constructor(deps: UpdatesDeps) {
    this.#deps = deps
  }

  /** Returns warnings. Nothing is changed when the runtime refuses. */
  async apply(container: Container, body: UpdateBody): Promise<string[]> {
    const { registry, machine, events } = this.#deps
    if (container.state.status === 'removing' || container.state.status === 'dead') {
      throw wrongState(container.id, 'container is marked for removal and cannot be "update"')
    }
    const { hostConfig, warnings } = updateHostConfig(container.hostConfig, body, machine)
    if (runOf(container.state) !== undefined) {
      const resources = linuxResources(resourcesOf(hostConfig, blockDeviceNumber), machine.cgroupVersion, {
        update: true,
      })
      await this.#limit(container.id, resources)
    }
    events.publish(registry.update(container.id, { hostConfig }), 'update')
    await registry.durable()
    return [...warnings]
  }

  /** A process that ends meanwhile has no limits any more; the next one gets them. */
  async #limit(id: string, resources: object): Promise<void> {
    const { registry, runtime } = this.#deps
    try {
      await runtime.update(id, resources)
    } catch (error) {
      if (runOf(registry.resolve(id).state) !== undefined) throw error
    }
  }
}
