/** Images and lists as registries have them. */
import { engineErrorOf } from '#base/errors.ts'
import { type Index, limits, mediaTypes, parseIndex, parseManifest } from '#oci/image-spec.ts'
import type { Platform } from '#oci/platform.ts'
import { formatReference, type Reference } from '#oci/reference.ts'
import type { FetchedManifest } from '#registry/client/repository.ts'
import { commandError } from '../errors.ts'
import { type ListedImage, readPlatform } from './listed-image.ts'
import { asked, type Registries } from './registries.ts'
import { sideBySide } from './side-by-side.ts'

export async function fetchManifest(
  registries: Registries,
  reference: Reference,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  try {
    return await asked(reference, async () => {
      const repository = await registries.repository(reference)
      return repository.manifest(reference.digest ?? reference.tag ?? '', { signal })
    })
  } catch (error) {
    const { status, registryCode } = engineErrorOf(error)?.details ?? {}
    if (status !== 404) throw error
    const why = registryCode === 'NAME_UNKNOWN' ? 'name unknown' : 'manifest unknown'
    throw commandError(`no such manifest: ${formatReference(reference)}: ${why}`, error)
  }
}

/** An image for a list; a list is refused. */
export async function fetchImage(
  registries: Registries,
  reference: Reference,
  signal: AbortSignal,
): Promise<ListedImage> {
  const fetched = await fetchManifest(registries, reference, signal)
  if (indexOf(fetched) !== undefined) {
    throw commandError(
      `${formatReference(reference)} is a manifest list; name an image of it by the digest that 'berth manifest inspect' shows`,
    )
  }
  return describe(registries, { reference, fetched }, signal)
}

/** Every image of a list, with the platform that the list says it is for. */
export async function fetchImages(
  registries: Registries,
  list: Reference,
  index: Index,
  signal: AbortSignal,
): Promise<ListedImage[]> {
  return sideBySide(index.manifests, signal, async ({ digest, platform }, either) => {
    const reference = { ...list, digest }
    const fetched = await fetchManifest(registries, reference, either)
    if (indexOf(fetched) !== undefined) {
      throw commandError(`${formatReference(reference)} is a list within a list; inspect it by that name`)
    }
    return describe(registries, { reference, fetched, platform: readPlatform(platform) }, either)
  })
}

/** Undefined: it is a single image. */
export function indexOf({ descriptor: { mediaType }, bytes }: FetchedManifest): Index | undefined {
  const isIndex = mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerIndex
  return isIndex ? parseIndex(bytes, { mediaType }) : undefined
}

interface Found {
  readonly reference: Reference
  readonly fetched: FetchedManifest
  /** That of the image's own configuration when absent. */
  readonly platform?: Platform
}

/** What is needed to list an image that was fetched. */
export async function describe(
  registries: Registries,
  { reference, fetched, platform }: Found,
  signal: AbortSignal,
): Promise<ListedImage> {
  const { descriptor, bytes } = fetched
  const { mediaType, digest, size } = descriptor
  const { config } = parseManifest(bytes, { mediaType })
  return {
    reference: formatReference(reference),
    mediaType,
    digest,
    size,
    bytes,
    platform:
      platform ??
      (await asked(reference, async () => {
        const repository = await registries.repository(reference)
        return platformWithin(await repository.document(config, { limit: limits.config, signal }))
      })),
  }
}

/** What is no image has a configuration that says nothing of platforms, or none at all. */
function platformWithin(config: Uint8Array): Platform {
  try {
    return readPlatform(JSON.parse(Buffer.from(config).toString()))
  } catch (error) {
    if (error instanceof SyntaxError) return readPlatform(undefined)
    throw error
  }
}
