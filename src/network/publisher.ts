import { shortId } from '#base/ids.ts'
import { isErrno } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import { directElements, isDirect, splitRequests } from './direct-ports.ts'
import { bindFailed, containerEnded } from './errors.ts'
import type { Firewall } from './firewall.ts'
import type { PortState } from './firewall-report.ts'
import type { PortChange, PortRequest, PublishTarget, PublishedPort } from './networks.ts'
import { forwardingElements, leads } from './network-elements.ts'
import { type Element, elementId } from './nft-elements.ts'
import type { PortHolds } from './port-holds.ts'
import type { PortTable, Reservation } from './ports.ts'

export interface PublisherDeps {
  readonly firewall: Firewall
  readonly holds: PortHolds
  readonly ports: PortTable
  readonly logger: Logger
  /** Published ports are reached at the containers' own addresses, too, by whoever has a route. */
  readonly directRouting?: boolean | undefined
}

interface Publication {
  readonly endpoint: PublishTarget
  readonly ports: readonly PublishedPort[]
  readonly elements: readonly Element[]
  /** One per port; missing when an adopted port could not be bound again. */
  readonly held: Map<PublishedPort, AsyncDisposable>
}

/** Published ports: reserved in the table, held by sockets, forwarded by the firewall. */
export class Publisher {
  readonly #deps: PublisherDeps
  readonly #publications = new Map<string, Publication>()

  constructor(deps: PublisherDeps) {
    this.#deps = deps
  }

  /** All ports or none. A number that somebody outside uses is passed over where there is a choice. */
  async publish(
    containerId: string,
    endpoint: PublishTarget,
    requests: readonly PortRequest[],
  ): Promise<readonly PublishedPort[]> {
    await using acquired = new AsyncDisposableStack()
    const { ports, held } = await this.#take(containerId, endpoint, requests, [], acquired)
    const elements = this.#elements(containerId, endpoint, ports)
    await this.#deps.firewall.change(elements)

    acquired.move()
    this.#publications.set(containerId, { endpoint, ports, elements, held })
    return ports
  }

  adopt(containerId: string, endpoint: PublishTarget, ports: readonly PublishedPort[]): void {
    const { firewall, ports: table, logger } = this.#deps
    const ours = ports.filter((port) => {
      const adopted = isDirect(port) || table.adopt(containerId, port)
      if (!adopted) logger.warn('published port belongs to another container', { containerId, port })
      return adopted
    })
    const elements = this.#elements(containerId, endpoint, ours)
    firewall.note(elements)
    this.#publications.set(containerId, { endpoint, ports: ours, elements, held: new Map() })
  }

  /** Sockets that hold the ports are bound anew by `holdMissing`: only what translation does not cover waits for them. */
  async retarget(containerId: string, endpoint: PublishTarget): Promise<void> {
    const publication = this.#publications.get(containerId)
    if (publication === undefined) return
    const { ports, elements: before, held } = publication
    const elements = this.#elements(containerId, endpoint, ports)
    await this.#deps.firewall.change(elements, before)
    this.#publications.set(containerId, { endpoint, ports, elements, held: new Map() })
    await dropAll(held)
    await this.holdMissing()
  }

  /**
   * Takes ports away and adds others, as a whole or not at all; one transaction of the firewall. Returns all that are
   * published then. A host port may go and come in one call, with another port behind it.
   */
  async change(
    containerId: string,
    endpoint: PublishTarget,
    change: PortChange,
  ): Promise<readonly PublishedPort[]> {
    const { firewall, ports: table } = this.#deps
    const before = this.#publications.get(containerId)
    const leaving = before?.ports.filter((port) => change.remove.some((one) => samePort(one, port))) ?? []
    const left = new Set(leaving)
    await using acquired = new AsyncDisposableStack()
    const taken = await this.#take(containerId, endpoint, change.add, leaving, acquired)
    const ports = [...(before?.ports ?? []).filter((port) => !left.has(port)), ...taken.ports]
    const elements = this.#elements(containerId, endpoint, ports)
    const changed = changedElements(before?.elements ?? [], elements)
    await firewall.change(changed.add, changed.remove)
    if (this.#publications.get(containerId) !== before) {
      // Ended meanwhile: what it had is given back already.
      await firewall.change([], changed.add)
      throw containerEnded()
    }

    acquired.move()
    const held = new Map([...(before?.held ?? [])].filter(([port]) => !left.has(port)))
    for (const [port, hold] of taken.held) held.set(port, hold)
    this.#publications.set(containerId, { endpoint, ports, elements, held })
    await dropAll(new Map([...(before?.held ?? [])].filter(([port]) => left.has(port))))
    table.leave(containerId, leaving)
    // A socket that forwards to what the host port led to before.
    if (ports.length > held.size) await this.holdMissing()
    return ports
  }

  async unpublish(containerId: string): Promise<void> {
    const publication = this.#publications.get(containerId)
    if (publication === undefined) return
    this.#publications.delete(containerId)
    try {
      await this.#deps.firewall.change([], publication.elements)
    } finally {
      await dropAll(publication.held)
      this.#deps.ports.release(containerId)
    }
  }

  /** Every published port, and the elements that lead to the container. */
  publications(): PortState[] {
    return [...this.#publications].flatMap(([containerId, { endpoint, ports, held }]) =>
      ports.map((port) => ({
        containerId,
        port,
        address: targetOf(endpoint, port.hostIp),
        elements: this.#elements(containerId, endpoint, [port]).filter(leads),
        held: held.has(port),
      })),
    )
  }

  /** Binds what is published but not held; true when something was bound. */
  async holdMissing(): Promise<boolean> {
    let mended = false
    for (const [containerId, { endpoint, ports, held }] of this.#publications) {
      for (const port of ports.filter((one) => !held.has(one) && !isDirect(one))) {
        try {
          const hold = await this.#hold(endpoint, port)
          if (this.#publications.get(containerId)?.held === held) held.set(port, hold)
          else await hold[Symbol.asyncDispose]()
          mended = true
        } catch (error) {
          // The firewall forwards the port all the same.
          this.#deps.logger.warn('published port cannot be held', { containerId, port, error })
        }
      }
    }
    return mended
  }

  async close(): Promise<void> {
    for (const { held } of this.#publications.values()) await dropAll(held)
    this.#publications.clear()
  }

  /** Reserves and holds; `acquired` gives back. What is `leaving` is free for the same container, and not held anew. */
  async #take(
    containerId: string,
    endpoint: PublishTarget,
    requests: readonly PortRequest[],
    leaving: readonly PublishedPort[],
    acquired: AsyncDisposableStack,
  ): Promise<{
    readonly ports: readonly PublishedPort[]
    readonly held: Map<PublishedPort, AsyncDisposable>
  }> {
    const { ports: table } = this.#deps
    const { translated, direct } = splitRequests(endpoint, requests)
    const avoid = new Set<string>()
    for (;;) {
      const reservations = table.reserve(containerId, translated, avoid, leaving)
      const ports = reservations.map(({ port }) => port)
      let keep = false
      try {
        const free = reservations.filter(({ port }) => !leaving.some((one) => sameHostPort(one, port)))
        const result = await this.#holdAll(endpoint, free)
        if ('refused' in result) {
          avoid.add(result.refused)
          continue
        }
        keep = true
        acquired.defer(() => table.leave(containerId, ports))
        acquired.defer(() => dropAll(result.held))
        const directOf = (v6: boolean) => direct.filter((port) => port.hostIp.includes(':') === v6)
        return { ports: [...directOf(false), ...ports, ...directOf(true)], held: result.held }
      } finally {
        if (!keep) table.leave(containerId, ports)
      }
    }
  }

  async #holdAll(
    endpoint: PublishTarget,
    reservations: readonly Reservation[],
  ): Promise<{ readonly held: Map<PublishedPort, AsyncDisposable> } | { readonly refused: string }> {
    const held = new Map<PublishedPort, AsyncDisposable>()
    const results = await Promise.allSettled(
      reservations.map(async ({ port }) => held.set(port, await this.#hold(endpoint, port))),
    )
    for (const [i, result] of results.entries()) {
      const reservation = reservations[i]
      if (result.status === 'fulfilled' || reservation === undefined) continue
      await dropAll(held)
      const { port, flexible } = reservation
      const cause: unknown = result.reason
      if (flexible && isErrno(cause, 'EADDRINUSE', 'EACCES')) {
        return { refused: `${port.protocol}/${port.hostPort}` }
      }
      const ip = targetOf(endpoint, port.hostIp)
      throw bindFailed({ ...port, ip, port: port.containerPort }, cause)
    }
    return { held }
  }

  #elements(
    containerId: string,
    endpoint: PublishTarget,
    ports: readonly PublishedPort[],
  ): readonly Element[] {
    const comment = shortId(containerId)
    const open = this.#deps.directRouting === true
    const elements = ports.flatMap((port) => {
      const { hostIp, hostPort, protocol, containerPort } = port
      const ip = targetOf(endpoint, hostIp)
      const forwarding = { hostIp, hostPort, protocol, ip, port: containerPort, comment }
      return [
        ...(isDirect(port) ? [] : forwardingElements(forwarding)),
        ...directElements(endpoint, port, { comment, open }),
      ]
    })
    return [...new Map(elements.map((element) => [elementId(element), element])).values()]
  }

  async #hold(endpoint: PublishTarget, port: PublishedPort): Promise<AsyncDisposable> {
    const { protocol, hostIp, hostPort, containerPort } = port
    return this.#deps.holds.hold({
      protocol,
      hostIp,
      hostPort,
      ip: targetOf(endpoint, hostIp),
      port: containerPort,
    })
  }
}

function samePort(a: PublishedPort, b: PublishedPort): boolean {
  return a.containerPort === b.containerPort && sameHostPort(a, b)
}

function sameHostPort(a: PublishedPort, b: PublishedPort): boolean {
  return a.protocol === b.protocol && a.hostIp === b.hostIp && a.hostPort === b.hostPort
}

/** Those that are new or lead elsewhere, and those that are gone or lead elsewhere. */
function changedElements(before: readonly Element[], after: readonly Element[]) {
  const key = (element: Element): string => `${elementId(element)} ${element.value} ${element.comment}`
  const [old, next] = [new Set(before.map(key)), new Set(after.map(key))]
  return {
    add: after.filter((element) => !old.has(key(element))),
    remove: before.filter((element) => !next.has(key(element))),
  }
}

/** The container's address for a host address: of the same family where it has one. */
function targetOf(endpoint: PublishTarget, hostIp: string): string {
  const { ipv4 = '', ipv6 = '' } = endpoint
  return hostIp.includes(':') ? ipv6 || ipv4 : ipv4 || ipv6
}

async function dropAll(held: Map<PublishedPort, AsyncDisposable>): Promise<void> {
  const all = [...held.values()]
  held.clear()
  await Promise.all(all.map((hold) => hold[Symbol.asyncDispose]()))
}
