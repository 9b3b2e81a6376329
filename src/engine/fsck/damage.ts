import type { Finding } from '#api/finding.ts'
import type { Digest } from '#base/digest.ts'
import { shortId } from '#base/ids.ts'
import { formatFamiliar, parseReference } from '#oci/reference.ts'
import type { ContainerRegistry } from '../containers/registry.ts'
import type { ImageStore } from '../images/image-store.ts'

/** Says which images and containers something belongs to. */
export class Damage {
  readonly #images: ImageStore
  readonly #registry: ContainerRegistry

  constructor(images: ImageStore, registry: ContainerRegistry) {
    this.#images = images
    this.#registry = registry
  }

  /** Of a layer. */
  ofLayer(diffId: Digest): Finding['damage'] {
    const { rows } = this.#images
    const ids = [...rows.list().map(({ id }) => id), ...rows.hidden()]
    const images = ids.filter((id) => rows.layers(id).includes(diffId))
    const containers = this.#registry
      .all()
      .filter(({ layers }) => layers.includes(diffId))
      .map(({ name }) => name)
    return { images: images.map((id) => this.nameOf(id)), containers }
  }

  /** Of a config or manifest. */
  ofBlob(digest: Digest): Finding['damage'] {
    const ids = [...new Set([digest, ...this.#images.rows.withManifest(digest)])]
    return {
      images: ids.filter((id) => this.#isImage(id)).map((id) => this.nameOf(id)),
      containers: this.#registry
        .all()
        .filter(({ imageId }) => imageId === digest)
        .map(({ name }) => name),
    }
  }

  /** Its first name, or its id when it has none. */
  nameOf(id: Digest): string {
    const [name] = this.#images.references.of(id)
    return name === undefined ? shortId(id) : formatFamiliar(parseReference(name))
  }

  #isImage(id: Digest): boolean {
    return this.#images.rows.get(id) !== undefined || this.#images.rows.hidden().includes(id)
  }
}
