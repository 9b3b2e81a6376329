import { EngineError } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import { parseCidr } from './address.ts'
import { connectivityFailed } from './errors.ts'
import { AddressPool, randomMac } from './ipam.ts'
import type { BridgeInfo, Endpoint, LeaseRequest, Networks, PortRequest, PublishedPort } from './networks.ts'
import { PortTable } from './ports.ts'

/** Networks without a kernel: leases and reservations are real, nothing is forwarded. */
export class FakeNetworks implements Networks {
  readonly bridge: BridgeInfo = {
    id: newId(),
    name: 'bridge',
    link: 'berth0',
    mtu: 1500,
    subnets: [{ subnet: '172.17.0.0/16', gateway: '172.17.0.1' }],
  }
  readonly published = new Map<string, readonly PublishedPort[]>()
  readonly #leases = new Map<string, Endpoint>()
  readonly #ports = new PortTable({ ephemeral: { first: 32768, last: 60999 }, ipv6: true })
  readonly #pool = new AddressPool(parseCidr('172.17.0.0/16'), {
    reserved: ['172.17.0.1'],
    quarantine: 0,
    now: () => 0,
  })

  async ensure(): Promise<void> {}

  /** Endpoints by container. */
  get leased(): ReadonlyMap<string, Endpoint> {
    return this.#leases
  }

  lease({ containerId, mac }: LeaseRequest): Endpoint {
    if (this.#leases.has(containerId)) {
      throw new EngineError('conflict', `container ${containerId} is already attached to network bridge`, {
        code: 'ENDPOINT_EXISTS',
      })
    }
    const endpoint: Endpoint = {
      id: newId(),
      networkId: this.bridge.id,
      veth: `v${containerId.slice(0, 14)}`,
      mac: mac ?? randomMac(),
      ipv4: this.#pool.take(),
      ipv4Prefix: 16,
      gateway: '172.17.0.1',
    }
    this.#leases.set(containerId, endpoint)
    return endpoint
  }

  adopt(containerId: string, endpoint: Endpoint): void {
    this.#pool.claim(endpoint.ipv4)
    this.#leases.set(containerId, endpoint)
  }

  release(containerId: string): void {
    const endpoint = this.#leases.get(containerId)
    if (endpoint !== undefined) this.#pool.release(endpoint.ipv4)
    this.#leases.delete(containerId)
  }

  async publish(
    containerId: string,
    endpoint: Endpoint,
    ports: readonly PortRequest[],
    options: { readonly name?: string | undefined } = {},
  ): Promise<readonly PublishedPort[]> {
    try {
      const published = this.#ports.reserve(containerId, ports).map(({ port }) => port)
      this.published.set(containerId, published)
      return published
    } catch (error) {
      if (!(error instanceof EngineError) || options.name === undefined) throw error
      throw connectivityFailed(options.name, endpoint.id, error)
    }
  }

  adoptPublished(containerId: string, _endpoint: Endpoint, ports: readonly PublishedPort[]): void {
    for (const port of ports) this.#ports.adopt(containerId, port)
    this.published.set(containerId, ports)
  }

  async unpublish(containerId: string): Promise<void> {
    this.#ports.release(containerId)
    this.published.delete(containerId)
  }

  async reconcile(): Promise<boolean> {
    return false
  }

  async destroy(): Promise<void> {
    this.published.clear()
    this.#leases.clear()
  }
}
