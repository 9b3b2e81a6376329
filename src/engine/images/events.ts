import type { Digest } from '#base/digest.ts'
import { familiarName, formatFamiliar, type Reference } from '#oci/reference.ts'

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

  /** Docker names the actor of a pull by what was asked for, not by the image that came. */
  pulled(reference: Reference, labels: Readonly<Record<string, string>> | undefined): void {
    const attributes = { ...labels, name: familiarName(reference) }
    this.#publisher.publish('image', 'pull', formatFamiliar(reference), attributes)
  }

  pruned(reclaimed: number): void {
    this.#publisher.publish('image', 'prune', '', { reclaimed: String(reclaimed) })
  }
}
