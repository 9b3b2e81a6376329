import { EngineError } from '#base/errors.ts'
import { formatPlatform, type Platform } from '#oci/platform.ts'
import { formatReference, parseReference, withDefaultTag } from '#oci/reference.ts'
import { excerpt, type Range, type Source } from '../dockerfile/source.ts'
import type { ImageResolver, ResolvedImage } from '../graph/plan.ts'

/** The images a plan has asked for, each once, in the order of asking. */
export class BaseImages {
  readonly #resolver: ImageResolver
  readonly #source: Source
  readonly #asked = new Map<string, Promise<ResolvedImage>>()

  /** `source`: the Dockerfile. */
  constructor(resolver: ImageResolver, source: Source) {
    this.#resolver = resolver
    this.#source = source
  }

  /** Errors are the resolver's, with the image, `hint`, and the lines at `range` that want it. */
  async resolve(reference: string, platform: Platform, range: Range, hint?: string): Promise<ResolvedImage> {
    const key = `${reference} ${formatPlatform(platform)}`
    let resolved = this.#asked.get(key)
    if (resolved === undefined) {
      resolved = this.#resolver.resolve(reference, platform)
      this.#asked.set(key, resolved)
    }
    try {
      return await resolved
    } catch (error) {
      throw this.#located(error, reference, range, hint)
    }
  }

  /** All of them; those that are the same under the same name once. */
  async materials(): Promise<readonly ResolvedImage[]> {
    const all = await Promise.all(this.#asked.values())
    return [...new Map(all.map((image) => [`${image.reference} ${image.id}`, image])).values()]
  }

  #located(error: unknown, reference: string, range: Range, hint = ''): unknown {
    if (!(error instanceof EngineError) || error.kind === 'cancelled') return error
    const { kind, message, code, details } = error
    const place = { file: this.#source.name, ...range.start }
    // BuildKit's words.
    const what = `failed to resolve source metadata for ${fullName(reference)}: ${message}`
    const text = [what, ...(hint === '' ? [] : [hint]), excerpt(this.#source, range)].join('\n')
    return new EngineError(kind, text, { code, cause: error, details: { ...details, ...place } })
  }
}

function fullName(reference: string): string {
  // An id has no other name.
  return reference.startsWith('sha256:')
    ? reference
    : formatReference(withDefaultTag(parseReference(reference)))
}
