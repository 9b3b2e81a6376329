import type { Network, NetworkSummary } from '#api/generated/types.ts'
import { EngineError } from '#base/errors.ts'
import type { BridgeInfo } from '#network/networks.ts'
import type { Container } from '../containers/container.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import { runOf } from '../containers/state.ts'
import type { Filters, NetworkService } from '../services.ts'

export interface PredefinedDeps {
  readonly bridge: BridgeInfo
  readonly registry: ContainerRegistry
  /** Ids of the networks `host` and `none`; they stay the same for a data root. */
  readonly ids: { readonly host: string; readonly none: string }
  /** RFC 3339: when this data root was made. */
  readonly createdAt: string
}

const FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']

/** The three networks that are always there. */
export class PredefinedNetworks implements NetworkService {
  readonly #deps: PredefinedDeps

  constructor(deps: PredefinedDeps) {
    this.#deps = deps
  }

  async list(filters: Filters): Promise<NetworkSummary[]> {
    for (const key of filters.keys()) {
      if (!FILTERS.includes(key)) {
        throw new EngineError('invalid_argument', `invalid filter '${key}'`, { code: 'FILTER_INVALID' })
      }
    }
    return this.#all().filter((network) =>
      [...filters].every(([key, values]) => matches(network, key, values)),
    )
  }

  async inspect(ref: string): Promise<Network> {
    const all = this.#all()
    const found =
      all.find(({ Id }) => Id === ref) ??
      all.find(({ Name }) => Name === ref) ??
      all.find(({ Id }) => ref !== '' && Id?.startsWith(ref))
    if (found === undefined) {
      throw new EngineError('not_found', `network ${ref} not found`, { code: 'NETWORK_NOT_FOUND' })
    }
    return { ...found, Containers: this.#containers(found.Name ?? '') } as Network
  }

  #all(): Network[] {
    const { bridge, ids } = this.#deps
    const Config = bridge.subnets.map(({ subnet, gateway }) => ({ Subnet: subnet, Gateway: gateway }))
    const options = {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': 'true',
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
      'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
      'com.docker.network.bridge.name': bridge.link,
      'com.docker.network.driver.mtu': String(bridge.mtu),
    }
    const ipv6 = bridge.subnets.length > 1
    return [
      this.#network('bridge', bridge.id, 'bridge', { Config, EnableIPv6: ipv6, Options: options }),
      this.#network('host', ids.host, 'host', { Config: null, EnableIPv6: false, Options: {} }),
      this.#network('none', ids.none, 'null', { Config: null, EnableIPv6: false, Options: {} }),
    ]
  }

  #network(
    name: string,
    id: string,
    driver: string,
    own: { readonly Config: object[] | null; readonly EnableIPv6: boolean; readonly Options: object },
  ): Network {
    return {
      Name: name,
      Id: id,
      Created: this.#deps.createdAt,
      Scope: 'local',
      Driver: driver,
      EnableIPv4: true,
      EnableIPv6: own.EnableIPv6,
      IPAM: { Driver: 'default', Options: null, Config: own.Config },
      Internal: false,
      Attachable: false,
      Ingress: false,
      ConfigFrom: { Network: '' },
      ConfigOnly: false,
      Options: own.Options,
      Labels: {},
    } as Network
  }

  #containers(name: string): object {
    const joined = this.#deps.registry
      .all()
      .filter(({ hostConfig, state }) => hostConfig.NetworkMode === name && runOf(state) !== undefined)
    return Object.fromEntries(joined.map((container) => [container.id, endpointResource(container)]))
  }
}

function endpointResource({ name, state }: Container): object {
  const endpoint = runOf(state)?.endpoint
  return {
    Name: name,
    EndpointID: endpoint?.id ?? '',
    MacAddress: endpoint?.mac ?? '',
    IPv4Address: endpoint === undefined ? '' : `${endpoint.ipv4}/${endpoint.ipv4Prefix}`,
    IPv6Address: endpoint?.ipv6 === undefined ? '' : `${endpoint.ipv6}/${endpoint.ipv6Prefix}`,
  }
}

function matches(network: Network, key: string, values: readonly string[]): boolean {
  const any = (test: (value: string) => boolean): boolean => values.length === 0 || values.some(test)
  switch (key) {
    case 'id':
      return any((value) => network.Id?.startsWith(value) === true)
    case 'name':
      return any((value) => network.Name?.includes(value) === true)
    case 'driver':
      return any((value) => network.Driver === value)
    case 'scope':
      return any((value) => value === 'local')
    case 'type':
      return any((value) => value === 'builtin')
    default:
      // No predefined network has labels, and none is dangling.
      return values.length === 0
  }
}
