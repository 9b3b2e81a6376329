import { goJson } from '#base/go-json.ts'
import { mediaTypes } from '#oci/image-spec.ts'
import { parseReference, type Reference } from '#oci/reference.ts'
import { commandError } from '../errors.ts'
import { type ListedImage, orderedPlatform } from './listed-image.ts'

type Entry = Pick<ListedImage, 'mediaType' | 'digest' | 'size' | 'platform'>

/**
 * The document of a list, to the byte as Docker's command line makes it, so that both push the same digest. What the first image
 * is decides between an OCI index and Docker's own list.
 */
export function listDocument(entries: readonly Entry[]): {
  readonly text: string
  readonly mediaType: string
} {
  const mediaType =
    entries[0]?.mediaType === mediaTypes.ociManifest ? mediaTypes.ociIndex : mediaTypes.dockerIndex
  const document = {
    schemaVersion: 2,
    mediaType,
    manifests: entries.map(({ mediaType: type, size, digest, platform }) => ({
      mediaType: type,
      size,
      digest,
      platform: orderedPlatform(platform),
    })),
  }
  return { text: goJson(document, '   '), mediaType }
}

/** Refuses a list that no registry can hold: what it names has to be there too. */
export function checkRegistry(list: Reference, images: readonly ListedImage[]): void {
  for (const { reference } of images) {
    const { domain } = parseReference(reference)
    if (domain === list.domain) continue
    throw commandError(
      `cannot use source images from a different registry than the target image: ${domain} != ${list.domain}; ` +
        `push ${reference} to ${list.domain} first, and make the list of that`,
    )
  }
}
