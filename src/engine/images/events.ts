import type { Digest } from '#base/digest.ts'

/** Where events go; the engine never acts on them. */
export interface EventPublisher {
  publish(type: string, action: string, actorId: string, attributes: Readonly<Record<string, string>>): void
}

export type ImageAction = 'create' | 'delete' | 'import' | 'load' | 'pull' | 'push' | 'save' | 'tag' | 'untag'

/** Events of images, with the attributes Docker gives them: labels and name. */
export class ImageEvents {
  readonly #publisher: EventPublisher

  constructor(publisher: EventPublisher) {
    this.#publisher = publisher
  }

  /** `name` is the reference where the action is about one, else the id. */
  publish(
    action: ImageAction,
    image: { readonly id: Digest; readonly labels: Readonly<Record<string, string>> | undefined },
    name: string = image.id,
  ): void {
    this.#publisher.publish('image', action, image.id, { ...image.labels, name })
  }

  pruned(reclaimed: number): void {
    this.#publisher.publish('image', 'prune', '', { reclaimed: String(reclaimed) })
  }
}
