import { formatPlatform, type Platform } from '#oci/platform.ts'
import type { ImageResolver, ResolvedImage } from '../graph/plan.ts'

/** The images a plan has asked for, each once, in the order of asking. */
export class BaseImages {
  readonly #resolver: ImageResolver
  readonly #asked = new Map<string, Promise<ResolvedImage>>()

  constructor(resolver: ImageResolver) {
    this.#resolver = resolver
  }

  resolve(reference: string, platform: Platform): Promise<ResolvedImage> {
    const key = `${reference} ${formatPlatform(platform)}`
    let resolved = this.#asked.get(key)
    if (resolved === undefined) {
      resolved = this.#resolver.resolve(reference, platform)
      this.#asked.set(key, resolved)
    }
    return resolved
  }

  /** All of them; those that are the same under the same name once. */
  async materials(): Promise<readonly ResolvedImage[]> {
    const all = await Promise.all(this.#asked.values())
    return [...new Map(all.map((image) => [`${image.reference} ${image.id}`, image])).values()]
  }
}
