import type { HostConfig, Resources, RestartPolicy } from '#api/generated/types.ts'
import type { Machine } from '#runtime/machine.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import { linuxResources } from '#runtime/resources.ts'
import { validateUpdate } from './config/validate.ts'
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

export type UpdateBody = Resources & { readonly RestartPolicy?: RestartPolicy | null | undefined }

/** Changes limits and restart policy of a container, in force at once. */
export class Updates {
  readonly #deps: UpdatesDeps

  constructor(deps: UpdatesDeps) {
    this.#deps = deps
  }

  /** Returns warnings. Nothing is changed when the runtime refuses. */
  async apply(container: Container, body: UpdateBody): Promise<string[]> {
    const { registry, runtime, machine, events } = this.#deps
    if (container.state.status === 'removing' || container.state.status === 'dead') {
      throw wrongState(container.id, 'container is marked for removal and cannot be "update"')
    }
    const asked = said(body)
    const hostConfig: HostConfig = { ...container.hostConfig, ...asked }
    const warnings = validateUpdate(container, asked, hostConfig, machine)
    if (runOf(container.state) !== undefined) {
      const resources = linuxResources(resourcesOf(hostConfig, blockDeviceNumber), machine.cgroupVersion, {
        update: true,
      })
      await runtime.update(container.id, resources)
    }
    events.publish(registry.update(container.id, { hostConfig }), 'update')
    await registry.durable()
    return warnings
  }
}

/** Zero values in an update mean "leave it as it is". */
function said(body: UpdateBody): UpdateBody {
  const fields = Object.entries(body).filter(([key, value]) => {
    if (key === 'RestartPolicy') return typeof value === 'object' && value !== null && 'Name' in value && value.Name !== ''
    return value !== null && value !== undefined && value !== 0 && value !== '' && value !== false
  })
  return Object.fromEntries(fields)
}
