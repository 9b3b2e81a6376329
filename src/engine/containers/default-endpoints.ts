import type { Endpoint, Networks, PublishedPort } from '#network/networks.ts'
import { portRequests } from './config/ports.ts'
import type { Container } from './container.ts'
import type { Endpoints } from './supervisor.ts'

/** Endpoints on the default bridge; other network modes have none of their own. */
export class DefaultEndpoints implements Endpoints {
  readonly #networks: Networks

  constructor(networks: Networks) {
    this.#networks = networks
  }

  lease(container: Container): Endpoint | undefined {
    const { hostConfig, networking, config, id } = container
    if (hostConfig.NetworkMode !== 'bridge') return undefined
    const { bridge, default: unnamed } = networking.EndpointsConfig ?? {}
    const asked = (bridge ?? unnamed)?.MacAddress ?? macOf(config)
    return this.#networks.lease({ containerId: id, mac: asked === '' ? undefined : (asked ?? undefined) })
  }

  publish(container: Container, endpoint: Endpoint): Promise<readonly PublishedPort[]> {
    const { id, name, config, hostConfig } = container
    return this.#networks.publish(id, endpoint, portRequests(config, hostConfig), { name })
  }
}

/** Clients before API 1.44 put it into the container's own configuration. */
function macOf(config: object): string | undefined {
  return 'MacAddress' in config && typeof config.MacAddress === 'string' ? config.MacAddress : undefined
}
