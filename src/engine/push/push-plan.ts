import type { Digest } from '#base/digest.ts'
import {
  formatPlatform,
  hostPlatform,
  parsePlatform,
  type Platform,
  platformDistance,
  selectPlatform,
  platformOf,
} from '#oci/platform.ts'
import {
  formatFamiliar,
  formatReference,
  parseReference,
  type Reference,
  repositoryOf,
} from '#oci/reference.ts'
import { wrongPlatform } from '../images/errors.ts'
import {
  type ImageManifests,
  type StoredIndex,
  type StoredManifest,
  type Variant,
} from '../images/image-manifests.ts'
import type { ImageStore } from '../images/image-store.ts'
import type { ProgressMessage } from '../services.ts'
import { noSuchTag } from './errors.ts'

/** What is to be sent under one name. */
export type PushPlan = {
  /** The image that the name leads to, or of the platform that was asked for. */
  readonly imageId: Digest
  /** Everything that the name means here. */
  readonly whole: boolean
  readonly notes: readonly ProgressMessage[]
} & (
  | { readonly kind: 'image'; readonly original: StoredManifest | undefined }
  | { readonly kind: 'index'; readonly index: StoredIndex; readonly variants: readonly Variant[] }
)

/**
 * An index of which all platforms are here is sent whole. Of one that is here in part only one image is sent, and it
 * is noted what was missing; `platform` chooses one without a note.
 */
export async function planPush(
  reference: Reference,
  platform: string | undefined,
  store: ImageStore,
  manifests: ImageManifests,
): Promise<PushPlan> {
  const name = formatReference(reference)
  const imageId = store.references.get(name)
  if (imageId === undefined) throw noSuchTag(reference)
  const target = store.references.target(name)
  const index = await manifests.index(imageId, target)
  if (index === undefined) {
    if (platform !== undefined) await checkPlatform(reference, imageId, platform, store)
    return planImage(
      { imageId, whole: true, notes: [] },
      target ?? pushedBefore(reference, imageId, store),
      manifests,
    )
  }
  const variants = await manifests.variants(index)
  if (platform !== undefined) {
    const chosen = await choose(reference, variants, parsePlatform(platform), store)
    return planImage(
      { imageId: chosen.imageId, whole: false, notes: [] },
      chosen.descriptor.digest,
      manifests,
    )
  }
  const missing = variants.filter(({ kind, imageId: here }) => kind === 'image' && here === undefined)
  if (missing.length === 0) return { kind: 'index', imageId, whole: true, notes: [], index, variants }
  return planPart(reference, imageId, index, variants, manifests)
}

async function planImage(
  base: Omit<PushPlan, 'kind'>,
  preferred: Digest | undefined,
  manifests: ImageManifests,
): Promise<PushPlan> {
  const [original] = await manifests.of(base.imageId, preferred)
  const { imageId, whole, notes } = base
  return { kind: 'image', imageId, whole, notes, original }
}

async function planPart(
  reference: Reference,
  imageId: Digest,
  index: StoredIndex,
  variants: readonly Variant[],
  manifests: ImageManifests,
): Promise<PushPlan> {
  const here = variants.filter((variant) => variant.imageId !== undefined)
  const selected =
    selectPlatform(
      here.map((variant) => ({ variant, platform: variant.descriptor.platform })),
      hostPlatform(),
    )?.variant ??
    here.find((variant) => variant.imageId === imageId) ??
    here[0]
  const notes = selected === undefined ? [] : partialNotes(reference, index, variants, selected)
  return planImage(
    { imageId: selected?.imageId ?? imageId, whole: false, notes },
    selected?.descriptor.digest,
    manifests,
  )
}

/** For people, and in the form from which Docker's client makes its own words. */
function partialNotes(
  reference: Reference,
  index: StoredIndex,
  variants: readonly Variant[],
  selected: Variant,
): ProgressMessage[] {
  const missing = variants
    .filter(({ kind, imageId }) => kind === 'image' && imageId === undefined)
    .map(({ descriptor }) => nameOf(descriptor))
  const status = `Not all platforms of ${formatFamiliar(reference)} are here (missing: ${missing.join(', ')}): only ${nameOf(selected.descriptor)} is pushed`
  return [
    { status },
    {
      progressDetail: {},
      aux: {
        manifestPushedInsteadOfIndex: true,
        originalIndex: index.descriptor,
        selectedManifest: selected.descriptor,
      },
    },
  ]
}

function nameOf({ platform, digest }: Variant['descriptor']): string {
  return platform === undefined || platform === null ? digest : formatPlatform(platform)
}

async function choose(
  reference: Reference,
  variants: readonly Variant[],
  wanted: Platform,
  store: ImageStore,
): Promise<Variant & { readonly imageId: Digest }> {
  const offered: string[] = []
  for (const variant of variants) {
    const { imageId, descriptor } = variant
    if (imageId === undefined) continue
    const platform = descriptor.platform ?? platformOf(await store.config(imageId))
    if (platformDistance(wanted, platform) === 0) return { ...variant, imageId }
    offered.push(formatPlatform(platform))
  }
  throw wrongPlatform(formatFamiliar(reference), offered.join(', '), formatPlatform(wanted))
}

async function checkPlatform(
  reference: Reference,
  imageId: Digest,
  platform: string,
  store: ImageStore,
): Promise<void> {
  const actual = platformOf(await store.config(imageId))
  const wanted = parsePlatform(platform)
  if (platformDistance(wanted, actual) === 0) return
  throw wrongPlatform(formatFamiliar(reference), formatPlatform(actual), formatPlatform(wanted))
}

/** The manifest under which the image lies in the same repository already. */
function pushedBefore(reference: Reference, imageId: Digest, { references }: ImageStore): Digest | undefined {
  const repository = repositoryOf(reference)
  return references
    .of(imageId)
    .map(parseReference)
    .find((other) => other.digest !== undefined && repositoryOf(other) === repository)?.digest
}
