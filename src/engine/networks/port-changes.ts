import type { Networks, PublishedPort } from '#network/networks.ts'
import { type PublishChange, planPublishing } from '../containers/config/publishing.ts'
import type { Container } from '../containers/container.ts'
import { runOf } from '../containers/state.ts'
import type { NetworkEndpoints } from './endpoints.ts'

export interface PortChangesDeps {
  readonly networks: Pick<Networks, 'unpublish'>
  readonly endpoints: Pick<NetworkEndpoints, 'republish'>
}

/** What a row becomes by a change of published ports. */
export type ChangedPorts = Pick<Container, 'config' | 'hostConfig'> & {
  /** What is published now; absent: it does not run. */
  readonly ports?: readonly PublishedPort[]
}

/**
 * Ports of containers that are there already. The kernel comes first and the row last: what a killed daemon had changed
 * and not written is put back by the comparison with the firewall at the next start.
 */
export class PortChanges {
  readonly #deps: PortChangesDeps

  constructor(deps: PortChangesDeps) {
    this.#deps = deps
  }

  /** In force when this resolves; on failure nothing has changed. */
  async apply(container: Container, change: PublishChange): Promise<ChangedPorts> {
    const run = runOf(container.state)
    const { config, hostConfig, ...ports } = planPublishing(container, change, run?.ports ?? [])
    if (run === undefined) return { config, hostConfig }
    return {
      config,
      hostConfig,
      ports: await this.#deps.endpoints.republish(container, run.endpoints, ports),
    }
  }

  /** The container has ended before its row could be written: what it got goes. */
  async discard({ id }: Container): Promise<void> {
    await this.#deps.networks.unpublish(id)
  }
}
