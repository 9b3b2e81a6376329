import { formatPlatform, parsePlatform, platformDistance, platformOf } from '#oci/platform.ts'
import { wrongPlatform } from './errors.ts'
import { type ImageManifests } from './image-manifests.ts'
import type { Image, ImageStore } from './image-store.ts'

/**
 * The image that a user's text leads to; with a platform the one for exactly that, if it came under the same index.
 * Rejects with `not_found` when there is none.
 */
export async function imageFor(
  ref: string,
  wanted: string | undefined,
  store: ImageStore,
  manifests: ImageManifests,
): Promise<Image> {
  const image = await store.resolve(ref)
  if (wanted === undefined || wanted === '') return image
  const platform = parsePlatform(wanted)
  const actual = platformOf(image.config)
  if (platformDistance(platform, actual) === 0) return image
  const offered = [formatPlatform(actual)]
  for (const variant of await variantsOf(ref, image, store, manifests)) {
    const own = platformOf(variant.config)
    if (platformDistance(platform, own) === 0) return variant
    if (variant.id !== image.id) offered.push(formatPlatform(own))
  }
  throw wrongPlatform(ref, offered.join(', '), formatPlatform(platform))
}

/** All images that are here of the index that the text leads to; at least the image itself. */
export async function variantsOf(
  ref: string,
  image: Image,
  store: ImageStore,
  manifests: ImageManifests,
): Promise<Image[]> {
  const index = await manifests.index(image.id, manifests.target(ref))
  if (index === undefined) return [image]
  const images: Image[] = []
  for (const { imageId } of await manifests.variants(index)) {
    if (imageId !== undefined) images.push(await store.resolve(imageId))
  }
  return images
}
