import type { PlannedRemoval } from '#api/prune-plan.ts'
import type {
  Network as NetworkDocument,
  NetworkConnectRequest,
  NetworkCreateResponse,
  NetworkDisconnectRequest,
  NetworkSummary,
} from '#api/generated/types.ts'
import { type Clock, settlesWithin } from '#base/clock.ts'
import { isKind } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import type { Logger } from '#base/logger.ts'
import type { Networks } from '#network/networks.ts'
import type { EventPublisher } from '../containers/events.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import type { Supervisor } from '../containers/supervisor.ts'
import type { Filters, NetworkCreateBody, NetworkService } from '../services.ts'
import type { Connections } from './connections.ts'
import { endpointResources, networkDocument } from './documents.ts'
import { configNetwork, networkExists, networkInUse, predefinedRemoval } from './errors.ts'
import { matchesListFilters, matchesPruneFilters } from './filters.ts'
import { isUserDefined } from './names-of.ts'
import type { Network } from './network.ts'
import { withFamilies } from './driver-options.ts'
import { checkCreate, checkFamilies, configured, networkOf, networkRequest } from './network-config.ts'
import type { NetworkRegistry } from './network-registry.ts'

export interface NetworksDeps {
  readonly known: NetworkRegistry
  readonly networks: Networks
  readonly registry: ContainerRegistry
  readonly connections: Connections
  readonly events: EventPublisher
  readonly logger: Logger
  readonly clock: Clock
  /** Containers that have a process, and when what an earlier one had is given back. */
  readonly supervisor: Pick<Supervisor, 'running' | 'settled'>
  /** Options that a new network has unless it says otherwise, by driver. */
  readonly defaultOptions?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined
}

/** Milliseconds that a removal waits for containers that have just ended. */
const RELEASE_PATIENCE = 10_000

/**
 * Networks of the API. A row comes first (`creating`), then the bridge and its rules, then the row says `ready`; the
 * other way round for a removal. What recovery finds in between is removed.
 */
export class UserNetworks implements NetworkService {
  readonly #deps: NetworksDeps
  /** Names of networks that are being made and have no row yet. */
  readonly #reserved = new Set<string>()

  constructor(deps: NetworksDeps) {
    this.#deps = deps
  }

  async list(filters: Filters): Promise<NetworkSummary[]> {
    const { known, networks } = this.#deps
    const used = ({ id }: Network): boolean => networks.leases(id).size > 0
    return known
      .all()
      .filter((network) => matchesListFilters(network, filters, { used }))
      .map(networkDocument)
  }

  async inspect(ref: string): Promise<NetworkDocument> {
    const { known, networks, registry } = this.#deps
    const network = known.resolve(ref)
    const nameOf = (id: string): string => registry.get(id)?.name ?? ''
    const live = [...networks.leases(network.id)].filter(
      ([id]) => this.#deps.supervisor.running(id) !== undefined,
    )
    const Containers = endpointResources({ leases: new Map(live), nameOf })
    return {
      ...networkDocument(network),
      Containers,
      Status: { IPAM: { Subnets: this.#usage(network) } },
    } as NetworkDocument
  }

  async create(body: NetworkCreateBody): Promise<NetworkCreateResponse> {
    const name = body.Name ?? ''
    checkCreate(name, body)
    const { known } = this.#deps
    const from = body.ConfigFrom?.Network
    const complete = from ? configured(body, known.find(from)) : withFamilies(this.#withDefaults(body))
    checkFamilies(complete)
    if (known.taken(name) || this.#reserved.has(name)) throw networkExists(name)
    this.#reserved.add(name)
    try {
      const warnings: string[] = []
      const network = await this.#create(name, complete, warnings)
      await known.durable()
      return { Id: network.id, Warning: warnings.join('; ') }
    } finally {
      this.#reserved.delete(name)
    }
  }

  #withDefaults(body: NetworkCreateBody): NetworkCreateBody {
    const defaults = this.#deps.defaultOptions?.[body.Driver || 'bridge']
    return defaults === undefined ? body : { ...body, Options: { ...defaults, ...body.Options } }
  }

  async remove(ref: string): Promise<void> {
    const { known, networks, registry } = this.#deps
    const network = known.resolve(ref)
    if (!isUserDefined(network.name)) throw predefinedRemoval(network.name)
    const configures = known.made().find(({ configFrom }) => configFrom === network.name)
    if (network.configOnly === true && configures !== undefined) {
      throw configNetwork('permission_denied', `configuration network "${network.name}" is in use`)
    }
    await this.#released(network)
    const used = [...networks.leases(network.id)]
    if (used.length > 0) {
      const endpoints = used.map(([id, endpoint]) => ({
        name: registry.get(id)?.name ?? '',
        id: endpoint.id,
      }))
      throw networkInUse(network.name, endpoints)
    }
    await this.#remove(network)
    await known.durable()
  }

  async prune(filters: Filters): Promise<{ NetworksDeleted: string[] | null }> {
    const { events } = this.#deps
    const unused = await this.#prunable(filters)
    const deleted: string[] = []
    for (const { id, name } of unused) {
      try {
        await this.remove(id)
      } catch (error) {
        // Somebody has taken it into use, or removed it, meanwhile.
        if (isKind(error, 'permission_denied') || isKind(error, 'not_found')) continue
        throw error
      }
      deleted.push(name)
    }
    events.publish('network', 'prune', '', { reclaimed: '0' })
    return { NetworksDeleted: deleted.length === 0 ? null : deleted }
  }

  async planPrune(filters: Filters): Promise<PlannedRemoval[]> {
    const unused = await this.#prunable(filters)
    return unused.map(({ id, name }) => ({ Kind: 'network' as const, ID: id, Name: name, Size: 0 }))
  }

  async #prunable(filters: Filters): Promise<readonly Network[]> {
    const { known, networks } = this.#deps
    await Promise.all(known.all().map((network) => this.#released(network)))
    return known
      .all()
      .filter(({ name, configOnly }) => isUserDefined(name) && configOnly !== true)
      .filter(({ id }) => networks.leases(id).size === 0)
      .filter((network) => matchesPruneFilters(network, filters))
  }

  async connect(ref: string, { Container, EndpointConfig }: NetworkConnectRequest): Promise<void> {
    const network = this.#deps.known.resolve(ref)
    const { IPv4Address = '', IPv6Address = '' } = EndpointConfig?.IPAMConfig ?? {}
    if (IPv4Address !== '' || IPv6Address !== '') await this.#released(network)
    await this.#deps.connections.connect(network, Container ?? '', EndpointConfig)
  }

  async disconnect(ref: string, { Container }: NetworkDisconnectRequest): Promise<void> {
    await this.#deps.connections.disconnect(this.#deps.known.resolve(ref), Container ?? '')
  }

  /** At start, before any container is looked at. */
  async recover(): Promise<void> {
    const { known, networks, logger } = this.#deps
    for (const network of known.made()) {
      if (network.state === 'ready') continue
      logger.info('a network that was being made or removed goes', { network: network.name })
      if (network.info !== undefined) await networks.removeNetwork(network.info)
      known.remove(network.id)
    }
    const infos = known.made().flatMap(({ info }) => (info === undefined ? [] : [info]))
    await networks.adoptNetworks(infos)
  }

  async #create(name: string, body: NetworkCreateBody, warnings: string[]): Promise<Network> {
    const { known, networks, events } = this.#deps
    if (body.ConfigOnly === true) return this.#keep(networkOf(newId(), name, body))
    // Undone, newest first, unless the row says that it is there.
    await using made = new AsyncDisposableStack()
    const info = await networks.plan(networkRequest(newId(), name, body), (text) => warnings.push(text))
    made.defer(() => networks.removeNetwork(info))
    const network = networkOf(info.id, name, body, info)
    known.add({ ...network, state: 'creating' })
    made.defer(() => known.remove(info.id))
    await networks.create(info.id)
    known.changeState(info.id, 'ready')
    made.move()
    events.publish('network', 'create', info.id, { name, type: network.driver })
    return network
  }

  /** It is checked like any other, and nothing is made. */
  #keep(network: Network): Network {
    const { known, events } = this.#deps
    known.add(network)
    events.publish('network', 'create', network.id, { name: network.name, type: network.driver })
    return network
  }

  // Point of no return: from `removing` on nobody finds it, and recovery finishes what has begun.
  async #remove({ id, name, driver, info }: Network): Promise<void> {
    const { known, networks, events } = this.#deps
    known.changeState(id, 'removing')
    if (info !== undefined) await networks.removeNetwork(info)
    known.remove(id)
    events.publish('network', 'destroy', id, { name, type: driver })
  }

  /** A container that has ended gives its addresses back a little later: nobody who waited for its end need know. */
  async #released({ id }: Network): Promise<void> {
    const { networks, supervisor, clock } = this.#deps
    const ended = [...networks.leases(id).keys()].filter((one) => supervisor.running(one) === undefined)
    if (ended.length === 0) return
    await settlesWithin(clock, RELEASE_PATIENCE, Promise.all(ended.map((one) => supervisor.settled(one))))
  }

  #usage({ id, info }: Network): object {
    const usage = this.#deps.networks.usage(id)
    return Object.fromEntries(
      (info?.subnets ?? []).map(({ subnet }) => [
        subnet,
        { IPsInUse: usage[subnet]?.inUse ?? 0, DynamicIPsAvailable: usage[subnet]?.available ?? 0 },
      ]),
    )
  }
}
