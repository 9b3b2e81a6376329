import type { AttestationStatement } from '#api/generated/types.ts'
import { hostPlatform, parsePlatform, selectPlatform, platformOf } from '#oci/platform.ts'
import { type Descriptor, parseManifest } from '#oci/image-spec.ts'
import { wrongPlatform } from './errors.ts'
import { type ImageManifests, subjectOf, type Variant } from './image-manifests.ts'
import type { ImageStore } from './image-store.ts'
import { documentOf } from './manifest-summaries.ts'

export interface AttestationOptions {
  /** `os/architecture[/variant]`; undefined: that of the host. */
  readonly platform: string | undefined
  /** Predicate types; none: all. */
  readonly types: readonly string[]
  /** With the statements themselves. */
  readonly statement: boolean
}

const STATEMENT = 'application/vnd.in-toto+json'
const PREDICATE_TYPE = 'in-toto.io/predicate-type'

/** The in-toto statements that came with an image, about the manifest of one platform. */
export async function attestationsOf(
  ref: string,
  options: AttestationOptions,
  store: ImageStore,
  manifests: ImageManifests,
): Promise<AttestationStatement[]> {
  const image = await store.resolve(ref)
  const index = await manifests.index(image.id, manifests.target(ref))
  if (index === undefined) {
    if (options.platform !== undefined) checkSingle(ref, options.platform, platformOf(image.config))
    return []
  }
  const variants = await manifests.variants(index)
  const subject = subjectFor(ref, variants, options.platform)
  const statements: AttestationStatement[] = []
  for (const { descriptor, kind } of variants) {
    if (kind !== 'attestation' || subjectOf(descriptor) !== subject.digest) continue
    const bytes = await manifests.bytes(descriptor.digest)
    if (bytes === undefined) continue
    for (const layer of parseManifest(bytes).layers) {
      const statement = await statementOf(layer, options, manifests)
      if (statement !== undefined) statements.push(statement)
    }
  }
  return statements
}

function subjectFor(ref: string, variants: readonly Variant[], wanted: string | undefined): Descriptor {
  const platform = wanted === undefined ? hostPlatform() : parsePlatform(wanted)
  const images = variants.filter(({ kind }) => kind === 'image').map(({ descriptor }) => descriptor)
  const chosen = selectPlatform(images, platform)
  if (chosen !== undefined) return chosen
  throw wrongPlatform(ref, platformsOf(images), wanted ?? `${platform.os}/${platform.architecture}`)
}

function checkSingle(ref: string, wanted: string, platform: ReturnType<typeof platformOf>): void {
  if (selectPlatform([{ platform }], parsePlatform(wanted)) !== undefined) return
  throw wrongPlatform(ref, `${platform.os}/${platform.architecture}`, wanted)
}

function platformsOf(descriptors: readonly Descriptor[]): string {
  return descriptors
    .flatMap(({ platform }) => (platform ? [`${platform.os}/${platform.architecture}`] : []))
    .join(', ')
}

async function statementOf(
  layer: Descriptor,
  { types, statement }: AttestationOptions,
  manifests: ImageManifests,
): Promise<AttestationStatement | undefined> {
  if (layer.mediaType !== STATEMENT) return undefined
  const predicateType = layer.annotations?.[PREDICATE_TYPE] ?? ''
  if (types.length > 0 && !types.includes(predicateType)) return undefined
  const found = { Descriptor: documentOf(layer), PredicateType: predicateType }
  if (!statement) return found
  const bytes = await manifests.bytes(layer.digest)
  if (bytes === undefined) return found
  return { ...found, Statement: JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown> }
}
