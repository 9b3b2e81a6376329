import type { EndpointSettings } from '#api/generated/types.ts'
import type { Logger } from '#base/logger.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import { keepsPorts } from '#network/direct-ports.ts'
import type { Endpoint, Networks, PublishedPort } from '#network/networks.ts'
import type { Attachment, Container } from '../containers/container.ts'
import { wrongState } from '../containers/errors.ts'
import type { EtcFiles } from '../containers/etc-files.ts'
import type { ContainerEvents } from '../containers/events.ts'
import { lockContainer } from '../containers/locked.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import { type Run, runOf } from '../containers/state.ts'
import { IFNAME_OPTION, endpointSettings, endpointSysctls } from './attachments.ts'
import type { ContainerNames } from './container-names.ts'
import { type NetworkEndpoints, freeInterface } from './endpoints.ts'
import { alreadyConnected, interfaceTaken, noEndpointThere, notConnectable, notConnected } from './errors.ts'
import type { Network } from './network.ts'
import { networkModeOf } from '../containers/network-mode.ts'

export interface ConnectionsDeps {
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly networks: Networks
  readonly endpoints: NetworkEndpoints
  readonly names: ContainerNames
  readonly etcFiles: Pick<EtcFiles, 'connectionsChanged'>
  readonly events: ContainerEvents
  readonly logger: Logger
}

/**
 * Containers join and leave networks, also while they run. The endpoint is in the row first, marked as pending; what
 * recovery finds so is taken back (joining: nobody was told) or finished (leaving). See docs/dev/networks.md.
 */
export class Connections {
  readonly #deps: ConnectionsDeps

  constructor(deps: ConnectionsDeps) {
    this.#deps = deps
  }

  async connect(network: Network, ref: string, given: EndpointSettings | null | undefined): Promise<void> {
    const { registry } = this.#deps
    using locked = await lockContainer(this.#deps, ref)
    const { container } = locked
    checkConnectable(container, network)
    const attachment = { network: network.name, settings: endpointSettings(network, given) }
    const attachments = [...container.attachments.filter((one) => one.network !== network.name), attachment]
    const run = runOf(container.state)
    if (run === undefined) {
      registry.update(container.id, { attachments })
    } else {
      if (run.endpoints.some((one) => one.network === network.name)) {
        throw alreadyConnected(container.name, network.name)
      }
      await this.#join({ ...container, attachments }, run, attachment)
    }
    await registry.durable()
  }

  async disconnect(network: Network, ref: string): Promise<void> {
    const { registry } = this.#deps
    using locked = await lockContainer(this.#deps, ref)
    const { container } = locked
    if (container.hostConfig.NetworkMode === 'host' && network.driver === 'host') {
      throw notConnectable(
        'cannot disconnect container from host network - container was created in host network mode',
      )
    }
    if (!container.attachments.some((one) => one.network === network.name)) {
      throw notConnected(container.id, network.name, runOf(container.state) !== undefined)
    }
    await this.#leave(container, network.name)
    await registry.durable()
  }

  /** What a former daemon was at when it was killed; the container has been adopted. */
  async recover(id: string): Promise<void> {
    const { registry, logger } = this.#deps
    for (const { pending, network } of runOf(registry.resolve(id).state)?.endpoints ?? []) {
      if (pending === undefined) continue
      const container = registry.resolve(id)
      logger.info('a connection is taken back or finished', { container: id, network, pending })
      await this.#leave(container, network)
    }
  }

  async #join(after: Container, run: Run, attachment: Attachment): Promise<void> {
    const { registry, networks, endpoints, events } = this.#deps
    const { id } = after
    const taken = new Set(run.endpoints.map(({ ifname }) => ifname))
    const ifname =
      attachment.settings.DriverOpts?.[IFNAME_OPTION] ??
      freeInterface(taken, endpoints.interfacePrefix(attachment.network))
    if (taken.has(ifname)) throw interfaceTaken(ifname, attachment.network)
    // Undone, newest first, unless the row says that it is done.
    await using joined = new AsyncDisposableStack()
    const endpoint = endpoints.leaseOne(after, attachment, ifname)
    joined.defer(() => networks.release(id, endpoint.networkId))
    this.#record(id, [...run.endpoints, { ...endpoint, pending: 'joining' }])
    joined.defer(() => this.#record(id, run.endpoints))
    joined.defer(() => this.#back(registry.resolve(id), run))
    joined.defer(() => networks.unplug(run.shimPid, endpoint))
    await networks.plug(run.shimPid, endpoint, endpointSysctls(attachment.settings, ifname))
    const all = [...run.endpoints, endpoint]
    const ports = await this.#settle(after, run, all)
    if (!this.#commit(after, all, ports)) return
    joined.move()
    events.network(after, 'connect', endpoint.networkId, endpoint.network)
  }

  async #leave(container: Container, network: string): Promise<void> {
    const { networks, events, registry } = this.#deps
    const { id } = container
    const run = runOf(container.state)
    const endpoint = run?.endpoints.find((one) => one.network === network)
    // One that was only about to join was never promised.
    const attachments =
      endpoint?.pending === 'joining'
        ? container.attachments
        : container.attachments.filter((one) => one.network !== network)
    if (run === undefined || endpoint === undefined) {
      registry.update(id, { attachments })
      return
    }
    const left: Endpoint = { ...endpoint, pending: endpoint.pending ?? 'leaving' }
    this.#record(
      id,
      run.endpoints.map((one) => (one === endpoint ? left : one)),
    )
    const after = { ...container, attachments }
    const rest = run.endpoints.filter((one) => one !== endpoint)
    const ports = await this.#settle(after, run, rest)
    await networks.unplug(run.shimPid, endpoint)
    networks.release(id, endpoint.networkId)
    this.#commit(after, rest, ports)
    if (left.pending === 'leaving') events.network(after, 'disconnect', endpoint.networkId, network)
  }

  /** Makes routes, names and published ports follow the endpoints; returns the ports. */
  async #settle(after: Container, run: Run, all: readonly Endpoint[]): Promise<readonly PublishedPort[]> {
    const { networks, endpoints, names, etcFiles } = this.#deps
    await networks.route(run.shimPid, endpoints.ways(after, all))
    await names.join(after, all, run.shimPid)
    await etcFiles.connectionsChanged(after, run.endpoints, all)
    return this.#ports(after, run, all)
  }

  async #ports(after: Container, run: Run, all: readonly Endpoint[]): Promise<readonly PublishedPort[]> {
    const { networks, endpoints } = this.#deps
    const target = endpoints.target(after, all)
    if (target === undefined) {
      await networks.unpublish(after.id)
      return []
    }
    if (run.ports.length === 0) return endpoints.publish(after, all)
    if (keepsPorts(target, run.ports)) {
      await networks.retarget(after.id, target)
      return run.ports
    }
    // From ports of the host to the container's own address, or back.
    await networks.unpublish(after.id)
    return endpoints.publish(after, all)
  }

  /** After a failure: as it was. */
  async #back(container: Container, run: Run): Promise<void> {
    if (runOf(container.state) === undefined) return
    try {
      await this.#settle(container, run, run.endpoints)
    } catch (error) {
      this.#deps.logger.error('a connection that failed is not taken back in full', {
        container: container.id,
        error,
      })
    }
  }

  #record(id: string, endpoints: readonly Endpoint[]): void {
    const { registry } = this.#deps
    const state = registry.get(id)?.state
    // Ended meanwhile: there is nothing left to say about its endpoints.
    if (state?.status !== 'running' && state?.status !== 'paused') return
    registry.update(id, { state: { ...state, run: { ...state.run, endpoints } } })
  }

  /** `false`: its process has ended meanwhile, and its addresses have been given back. */
  #commit({ id, attachments }: Container, endpoints: readonly Endpoint[], ports: Run['ports']): boolean {
    const { registry } = this.#deps
    const { state } = registry.resolve(id)
    if (state.status !== 'running' && state.status !== 'paused') {
      registry.update(id, { attachments })
      return false
    }
    registry.update(id, { attachments, state: { ...state, run: { ...state.run, endpoints, ports } } })
    return true
  }
}

function checkConnectable(container: Container, network: Network): void {
  if (network.configOnly === true) throw noEndpointThere()
  const mode = networkModeOf(container)
  const { status } = container.state
  if (container.removal !== undefined || status === 'removing' || status === 'dead') {
    throw wrongState(
      container.id,
      'container is marked for removal and cannot be connected or disconnected to the network',
    )
  }
  if (network.driver === 'host' && mode !== 'host') {
    throw notConnectable(
      'cannot connect container to host network - container must be created in host network mode',
    )
  }
  if (mode === 'host' || mode.startsWith('container:')) {
    throw notConnectable(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    )
  }
  if (mode === 'none' || network.driver === 'null') {
    throw notConnectable(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    )
  }
}
