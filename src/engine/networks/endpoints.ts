import { portReach } from '#network/direct-ports.ts'
import { noSuchNetwork } from '#network/errors.ts'
import type {
  Endpoint,
  NetworkInfo,
  Networks,
  PortChange,
  PortRequest,
  PublishTarget,
  PublishedPort,
  Ways,
} from '#network/networks.ts'
import { portRequests } from '../containers/config/ports.ts'
import type { Attachment, Container } from '../containers/container.ts'
import { hasIpv6Off } from '../containers/network-mode.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import { runOf } from '../containers/state.ts'
import type { Endpoints } from '../containers/supervisor.ts'
import { IFNAME_OPTION } from './attachments.ts'
import { interfacePrefix } from './driver-options.ts'
import { interfaceTaken, noEndpointThere } from './errors.ts'
import type { Network } from './network.ts'
import { withHolder } from './port-holders.ts'

export interface NetworkEndpointsDeps {
  readonly networks: Networks
  readonly known: { named(name: string): Network | undefined }
  readonly registry: Pick<ContainerRegistry, 'all'>
}

/** Endpoints of containers that start, on all their networks. */
export class NetworkEndpoints implements Endpoints {
  readonly #deps: NetworkEndpointsDeps

  constructor(deps: NetworkEndpointsDeps) {
    this.#deps = deps
  }

  /** All or none. */
  lease(container: Container): readonly Endpoint[] {
    const { networks, known } = this.#deps
    const endpoints: Endpoint[] = []
    const names = interfaceNames(container.attachments, (network) => this.interfacePrefix(network))
    try {
      // What has its name fixed does not wait for those that take what is left.
      for (const [i, attachment] of container.attachments.entries()) {
        const name = names[i] ?? `eth${i}`
        if (attachment.network === 'bridge' && known.named('bridge') === undefined) continue
        if (endpoints.some(({ ifname }) => ifname === name)) throw interfaceTaken(name, attachment.network)
        endpoints.push(this.leaseOne(container, attachment, name))
      }
    } catch (error) {
      networks.release(container.id)
      throw error
    }
    return endpoints
  }

  /** What the names of interfaces on a network begin with. */
  interfacePrefix(network: string): string {
    return interfacePrefix(this.#deps.known.named(network)?.options ?? {})
  }

  leaseOne(container: Container, { network: name, settings }: Attachment, ifname: string): Endpoint {
    const { networks, known } = this.#deps
    const network = known.named(name)
    if (network === undefined) throw noSuchNetwork(name)
    if (network.configOnly === true) throw noEndpointThere()
    const { IPv4Address, IPv6Address } = settings.IPAMConfig ?? {}
    return networks.lease({
      containerId: container.id,
      networkId: network.id,
      ifname,
      mac: settings.MacAddress || undefined,
      ipv4: IPv4Address || undefined,
      ipv6: IPv6Address || undefined,
      withoutIpv6: hasIpv6Off(container),
      avoid: this.#fixed(name, container.id),
    })
  }

  /** Published where the container's default routes lead; a container with none has no ports. */
  async publish(container: Container, endpoints: readonly Endpoint[]): Promise<readonly PublishedPort[]> {
    const { id, name, config, hostConfig } = container
    const target = this.target(container, endpoints)
    if (target === undefined) return []
    const requests = this.#bound(container, endpoints, portRequests(config, hostConfig))
    return this.#namingHolder(this.#deps.networks.publish(id, target, requests, { name }))
  }

  /** As `publish`, for a container that has published ports already. */
  async republish(
    container: Container,
    endpoints: readonly Endpoint[],
    change: PortChange,
  ): Promise<readonly PublishedPort[]> {
    const { id, name } = container
    const target = this.target(container, endpoints)
    if (target === undefined) return []
    const add = this.#bound(container, endpoints, change.add)
    return this.#namingHolder(this.#deps.networks.republish(id, target, { ...change, add }, { name }))
  }

  /** With the address of the host that the container's network says where none is named. */
  #bound(
    container: Container,
    endpoints: readonly Endpoint[],
    requests: readonly PortRequest[],
  ): readonly PortRequest[] {
    const binding = this.#info(this.ways(container, endpoints).v4)?.binding
    if (binding === undefined) return requests
    return requests.map((request) => (request.hostIp === '' ? { ...request, hostIp: binding } : request))
  }

  /** On a link of the host, or without a way out, nothing is published. */
  target(container: Container, endpoints: readonly Endpoint[]): PublishTarget | undefined {
    const ways = this.ways(container, endpoints)
    const [v4, v6] = [ways.v4, ways.v6].map((one) => (this.#publishes(one) ? one : undefined))
    const first = v4 ?? v6
    if (first === undefined) return undefined
    const reach4 = portReach(this.#info(v4), 4)
    const reach6 = portReach(this.#info(v6), 6)
    return { id: first.id, ipv4: v4?.ipv4, ipv6: v6?.ipv6, reach4, reach6 }
  }

  #publishes(endpoint: Endpoint | undefined): boolean {
    return endpoint !== undefined && this.#info(endpoint)?.shared === undefined
  }

  #info(endpoint: Endpoint | undefined): NetworkInfo | undefined {
    return endpoint === undefined ? undefined : this.#deps.networks.network(endpoint.networkId)
  }

  /** The endpoint with the highest priority for each family; among equals the network whose name comes first. */
  ways({ attachments }: Pick<Container, 'attachments'>, endpoints: readonly Endpoint[]): Ways {
    const priority = ({ network }: Endpoint): number =>
      attachments.find((one) => one.network === network)?.settings.GwPriority ?? 0
    const order = endpoints
      .filter(({ pending }) => pending !== 'leaving')
      .toSorted((a, b) => priority(b) - priority(a) || (a.network < b.network ? -1 : 1))
    return {
      v4: order.find(({ gateway }) => gateway !== undefined),
      v6: order.find(({ gateway6 }) => gateway6 !== undefined),
    }
  }

  async #namingHolder<T>(published: Promise<T>): Promise<T> {
    try {
      return await published
    } catch (error) {
      const { registry } = this.#deps
      throw await withHolder(error, (id) => registry.all().find((one) => one.id === id)?.name)
    }
  }

  /** Addresses that containers which do not run will want. */
  #fixed(network: string, except: string): ReadonlySet<string> {
    const addresses = this.#deps.registry
      .all()
      .filter(({ id, state }) => id !== except && runOf(state) === undefined)
      .flatMap(({ attachments }) => attachments.filter((one) => one.network === network))
      .flatMap(({ settings }) => [settings.IPAMConfig?.IPv4Address, settings.IPAMConfig?.IPv6Address])
    return new Set(addresses.filter((address): address is string => Boolean(address)))
  }
}

/** Names of a container's interfaces: those that were asked for, and `eth0`, `eth1`, … in order for the others. */
function interfaceNames(attachments: readonly Attachment[], prefixOf: (network: string) => string): string[] {
  const taken = new Set(attachments.map(({ settings }) => settings.DriverOpts?.[IFNAME_OPTION]))
  return attachments.map(({ network, settings }) => {
    const name = settings.DriverOpts?.[IFNAME_OPTION]
    if (name !== undefined) return name
    const free = freeInterface(taken, prefixOf(network))
    taken.add(free)
    return free
  })
}

export function freeInterface(taken: ReadonlySet<string | undefined>, prefix: string): string {
  for (let i = 0; ; i++) if (!taken.has(`${prefix}${i}`)) return `${prefix}${i}`
}
