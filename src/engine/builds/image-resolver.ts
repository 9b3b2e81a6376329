import { isKind } from '#base/errors.ts'
import type { ImageResolver, ResolvedImage } from '#build/graph/plan.ts'
import type { Report } from '#build/progress/progress.ts'
import { formatPlatform, type Platform } from '#oci/platform.ts'
import { formatReference, parseReference, type Reference, withDefaultTag } from '#oci/reference.ts'
import type { Addition } from '../images/addition.ts'
import type { Image } from '../images/image-store.ts'
import type { Images } from '../images/images.ts'
import type { PullService } from '../services.ts'
import { layoutImage, type LayoutPlace } from './layout-images.ts'
import type { Logins } from './logins.ts'
import { vertexReport } from './vertex-report.ts'

export interface BuildImagesDeps {
  readonly images: Pick<Images, 'resolve' | 'store'>
  readonly pulls: PullService
  readonly clock: () => Date
}

export interface BuildImagesOptions {
  /** Ask the registry also for what is here. */
  readonly pull: boolean
  readonly auth: Logins
  /** Images of named contexts that lie in directories, by the references that the build has for them. */
  readonly layouts: ReadonlyMap<string, LayoutPlace>
  /** Holds what is brought into the store. */
  readonly addition: Pick<Addition, 'ingest'>
  readonly report: Report
  readonly signal: AbortSignal
}

/** Images that a build stands on: those of this host; what is missing is pulled. */
export class BuildImages implements ImageResolver {
  readonly #deps: BuildImagesDeps
  readonly #options: BuildImagesOptions

  constructor(deps: BuildImagesDeps, options: BuildImagesOptions) {
    this.#deps = deps
    this.#options = options
  }

  async resolve(text: string, platform: Platform): Promise<ResolvedImage> {
    const place = this.#options.layouts.get(text)
    if (place !== undefined) return layoutImage(text, place, platform, this.#options)
    const here = this.#options.pull ? undefined : await localImage(this.#deps.images, text, platform)
    if (here !== undefined) return this.#described(text, here)
    // An id names what is here, and nothing else.
    if (/^sha256:[0-9a-f]{64}$/.test(text))
      return this.#described(text, await this.#deps.images.resolve(text))
    const reference = withDefaultTag(parseReference(text))
    await this.#pull(text, reference, platform)
    return this.#described(text, await this.#deps.images.resolve(notShortId(text), formatPlatform(platform)))
  }

  #described(text: string, { id, config, layers }: Image): ResolvedImage {
    const { references } = this.#deps.images.store
    const parsed = /^sha256:[0-9a-f]{64}$/.test(text) ? undefined : withDefaultTag(parseReference(text))
    const reference = parsed === undefined ? text : formatReference(parsed)
    return { id, manifest: references.target(reference), reference, config, layers }
  }

  async #pull(text: string, reference: Reference, platform: Platform): Promise<void> {
    const { report, signal, auth } = this.#options
    const repository = formatReference({ ...reference, tag: undefined, digest: undefined })
    const options = {
      tag: reference.digest ?? reference.tag,
      platform: formatPlatform(platform),
      auth: await auth(reference.domain),
      signal,
    }
    const now = (): string => this.#deps.clock().toISOString()
    const name = `[internal] pull ${text} for ${options.platform}`
    await vertexReport(name, report, now, async ({ progress }) => {
      for await (const { id, status = '', progressDetail } of this.#deps.pulls.pull(repository, options)) {
        const current = progressDetail?.current
        if (id !== undefined && current !== undefined)
          progress(`${status} ${id}`, current, progressDetail?.total)
      }
    })
  }
}

/** Undefined when it is not on this host. */
export async function localImage(
  images: Pick<Images, 'resolve'>,
  reference: string,
  platform: Platform,
): Promise<Image | undefined> {
  try {
    return await images.resolve(notShortId(reference), formatPlatform(platform))
  } catch (error) {
    if (isKind(error, 'not_found')) return undefined
    throw error
  }
}

/** Few hexadecimal digits, as in `FROM b`, are a name and never the beginning of an id: what is built must not depend on what else is here. */
function notShortId(text: string): string {
  return /^(?:sha256:)?[0-9a-f]{1,11}$/.test(text)
    ? formatReference(withDefaultTag(parseReference(text)))
    : text
}
