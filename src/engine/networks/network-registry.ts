import type { Logger } from '#base/logger.ts'
import { noSuchNetwork } from '#network/errors.ts'
import type { NetworkInfo } from '#network/networks.ts'
import type { NetworkRows } from '#store/networks.ts'
import { ambiguousNetwork, networkExists } from './errors.ts'
import { type Network, decodeNetwork, encodeNetwork } from './network.ts'

export interface PredefinedIds {
  /** Ids of the networks `host` and `none`; they stay the same for a data root. */
  readonly host: string
  readonly none: string
}

export interface NetworkRegistryDeps {
  readonly rows: NetworkRows
  readonly logger: Logger
  /** The default bridge, once it is decided upon. */
  readonly bridge: () => NetworkInfo
  readonly ids: PredefinedIds
  /** RFC 3339: when this data root was made. */
  readonly createdAt: string
}

/** All networks: those that are always there, and rows for those that somebody made. Reads never wait. */
export class NetworkRegistry {
  readonly #deps: NetworkRegistryDeps
  readonly #byId = new Map<string, Network>()
  readonly #idByName = new Map<string, string>()
  #predefinedOnes: readonly Network[] | undefined

  constructor(deps: NetworkRegistryDeps) {
    this.#deps = deps
    for (const row of deps.rows.all()) {
      try {
        this.#remember(decodeNetwork(row))
      } catch (error) {
        deps.logger.error('the row of a network cannot be read', { network: row.name, error })
      }
    }
  }

  /** Those that can be used, in order of creation. */
  all(): Network[] {
    return [...this.#predefined(), ...this.made().filter(({ state }) => state === 'ready')]
  }

  /** Those with rows, whatever their state. */
  made(): Network[] {
    return [...this.#byId.values()]
  }

  /** Full id, then name, then unique prefix of an id. */
  resolve(ref: string): Network {
    const found = this.find(ref)
    if (found === undefined) throw noSuchNetwork(ref)
    return found
  }

  find(ref: string): Network | undefined {
    const all = this.all()
    const exact = all.find(({ id }) => id === ref) ?? this.named(ref)
    if (exact !== undefined || ref === '') return exact
    const matches = all.filter(({ id }) => id.startsWith(ref))
    if (matches.length > 1) throw ambiguousNetwork(ref, matches.length)
    return matches[0]
  }

  named(name: string): Network | undefined {
    const made = this.#byId.get(this.#idByName.get(name) ?? '')
    if (made !== undefined) return made.state === 'ready' ? made : undefined
    return this.#predefined().find((network) => network.name === name)
  }

  /** Of a network that may be about to go. */
  driverOf(id: string): Network['driver'] {
    return (this.#byId.get(id) ?? this.#predefined().find((network) => network.id === id))?.driver ?? 'bridge'
  }

  /** Whether the name belongs to a network, be it one that is just being made or removed. */
  taken(name: string): boolean {
    return this.#idByName.has(name) || this.#predefined().some((network) => network.name === name)
  }

  add(network: Network): void {
    if (this.taken(network.name)) throw networkExists(network.name)
    this.#deps.rows.insert(encodeNetwork(network))
    this.#remember(network)
  }

  changeState(id: string, state: Network['state']): void {
    const network = this.#byId.get(id)
    if (network === undefined) return
    this.#deps.rows.changeState(id, state)
    this.#byId.set(id, { ...network, state })
  }

  remove(id: string): void {
    this.#deps.rows.remove(id)
    this.#idByName.delete(this.#byId.get(id)?.name ?? '')
    this.#byId.delete(id)
  }

  durable(): Promise<void> {
    return this.#deps.rows.durable()
  }

  #remember(network: Network): void {
    this.#byId.set(network.id, network)
    this.#idByName.set(network.name, network.id)
  }

  #predefined(): readonly Network[] {
    const { bridge, ids, createdAt } = this.#deps
    this.#predefinedOnes ??= predefinedNetworks(bridge(), ids, createdAt)
    return this.#predefinedOnes
  }
}

function predefinedNetworks(bridge: NetworkInfo, ids: PredefinedIds, createdAt: string): readonly Network[] {
  const common = {
    createdAt,
    state: 'ready',
    enableIPv4: true,
    enableIPv6: false,
    internal: false,
    attachable: false,
    labels: {},
    options: {},
    ipam: { driver: 'default', options: null, config: null },
  } as const
  const config = bridge.subnets.map(({ subnet, gateway }) => ({ Subnet: subnet, Gateway: gateway }))
  const standard: Network = {
    ...common,
    id: bridge.id,
    name: 'bridge',
    driver: 'bridge',
    enableIPv6: bridge.subnets.length > 1,
    options: defaultBridgeOptions(bridge),
    ipam: { ...common.ipam, config },
    info: bridge,
  }
  return [
    ...(bridge.link === '' ? [] : [standard]),
    { ...common, id: ids.host, name: 'host', driver: 'host' },
    { ...common, id: ids.none, name: 'none', driver: 'null' },
  ]
}

function defaultBridgeOptions({ link, mtu, icc }: NetworkInfo): Readonly<Record<string, string>> {
  return {
    'com.docker.network.bridge.default_bridge': 'true',
    'com.docker.network.bridge.enable_icc': String(icc),
    'com.docker.network.bridge.enable_ip_masquerade': 'true',
    'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
    'com.docker.network.bridge.name': link,
    'com.docker.network.driver.mtu': String(mtu),
  }
}
