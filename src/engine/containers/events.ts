import type { Container } from './container.ts'

/** Where events go; the engine never acts on them. */
export interface EventPublisher {
  publish(type: string, action: string, actorId: string, attributes: Readonly<Record<string, string>>): void
}

/** Events of containers, with the attributes Docker gives them: labels, image, name. */
export class ContainerEvents {
  readonly #publisher: EventPublisher
  readonly #driverOf: (networkId: string) => string

  constructor(publisher: EventPublisher, driverOf: (networkId: string) => string) {
    this.#publisher = publisher
    this.#driverOf = driverOf
  }

  publish(container: Container, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    this.#publisher.publish('container', action, container.id, {
      ...container.config.Labels,
      image: container.image,
      name: container.name,
      ...attributes,
    })
  }

  /** Containers were pruned; bytes. */
  pruned(reclaimed: number): void {
    this.#publisher.publish('container', 'prune', '', { reclaimed: String(reclaimed) })
  }

  /** The container joined or left its network. */
  network(container: Container, action: 'connect' | 'disconnect', networkId: string, name: string): void {
    const type = this.#driverOf(networkId)
    this.#publisher.publish('network', action, networkId, { container: container.id, name, type })
  }
}
