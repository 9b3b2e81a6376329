import type { Digest } from '#base/digest.ts'
import {
  type Descriptor,
  type Index,
  type Manifest,
  isIndex,
  limits,
  mediaTypes,
  parseImageConfig,
  parseIndex,
  parseLayout,
  parseManifestOrIndex,
} from '#oci/image-spec.ts'
import { hostPlatform, selectPlatform, platformOf } from '#oci/platform.ts'
import { parseReference, type Reference, withDefaultTag } from '#oci/reference.ts'
import type { NewImage } from './addition.ts'
import type { ArchiveContents } from './archive-contents.ts'
import { blob, checkLayers, document, layerAt, pathOf } from './archive-members.ts'
import type { PlannedImage } from './archive-plan.ts'
import { invalidImage } from './errors.ts'
import { isAttestation } from './image-manifests.ts'
import { manifestOf } from './manifest.ts'

/** Indexes within indexes; real archives have two levels. */
const MAX_DEPTH = 3
const MAX_DESCRIPTORS = 1000

type Documents = NonNullable<NewImage['manifests']>

interface Candidate {
  readonly manifest: Manifest
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
}

/**
 * The images of an OCI image layout, each with the documents it came with. Of an index all images are taken that are
 * wholly in the archive; its name goes to the one that suits this host best.
 */
export function planLayout(contents: ArchiveContents): PlannedImage[] {
  parseLayout(document(contents, 'oci-layout', 64 << 10))
  const index = parseIndex(document(contents, 'index.json', limits.index))
  if (index.manifests.length > MAX_DESCRIPTORS) throw invalidImage('index.json: too many manifests')

  const planned = new Map<string, PlannedImage & { readonly references: Reference[] }>()
  for (const descriptor of index.manifests) {
    if (isAttestation(descriptor)) continue
    const reference = nameOf(descriptor)
    for (const image of imagesAt(contents, descriptor)) {
      const key = `${image.id} ${image.target ?? ''}`
      const known = planned.get(key) ?? { ...image, references: [] }
      planned.set(key, known)
      if (reference !== undefined && image.first) known.references.push(reference)
    }
  }
  return [...planned.values()].map(({ config, manifests, target, references }) => ({
    config,
    references,
    ...(manifests === undefined ? {} : { manifests }),
    ...(target === undefined ? {} : { target }),
  }))
}

interface FoundImage {
  readonly id: Digest
  readonly config: Uint8Array
  readonly manifests?: Documents
  readonly target?: Digest
  /** The one that the name is for. */
  readonly first: boolean
}

function imagesAt(contents: ArchiveContents, descriptor: Descriptor): FoundImage[] {
  const documents: Documents[number][] = []
  const candidates = candidatesAt(contents, descriptor, documents, 1)
  const best = bestOf(contents, candidates)
  return candidates.map((candidate) => {
    const { manifest, bytes } = candidate
    const config = blob(contents, manifest.config, limits.config)
    checkConfigType(manifest)
    checkLayers(
      parseImageConfig(config),
      manifest.layers.map(({ digest }) => layerAt(contents, pathOf(digest))),
    )
    const found = { id: manifest.config.digest, config, first: candidate === best }
    const layers = manifest.layers.map(({ digest, size }) => ({ diffId: digest, size }))
    // What save() wrote for want of an original is not one.
    const isOurs = manifestOf(config, layers).descriptor.digest === candidate.descriptor.digest
    if (documents.length === 0 && isOurs) return found
    const own = { bytes, mediaType: manifest.mediaType }
    return { ...found, manifests: [own, ...documents], target: descriptor.digest }
  })
}

/** The manifest itself, or those of an index whose parts are all there; `documents` gets what else belongs to them. */
function candidatesAt(
  contents: ArchiveContents,
  descriptor: Descriptor,
  documents: Documents[number][],
  depth: number,
): Candidate[] {
  const bytes = blob(contents, descriptor, limits.manifest)
  const parsed = parseManifestOrIndex(bytes, { mediaType: descriptor.mediaType })
  if (!isIndex(parsed)) return [{ manifest: parsed, descriptor, bytes }]
  if (depth === MAX_DEPTH) throw invalidImage(`${descriptor.digest}: too many indexes within indexes`)
  if (parsed.manifests.length > MAX_DESCRIPTORS) {
    throw invalidImage(`${descriptor.digest}: too many manifests`)
  }
  documents.push({ bytes, mediaType: parsed.mediaType })
  const present = parsed.manifests.filter(({ digest }) => contents.documents.has(pathOf(digest)))
  const images = present.filter(
    (entry) => !isAttestation(entry) && entry.platform?.architecture !== 'unknown',
  )
  const candidates = images.flatMap((entry) => candidatesAt(contents, entry, documents, depth + 1))
  for (const entry of present.filter(isAttestation)) documents.push(...attestationAt(contents, entry))
  const whole = candidates.filter(({ manifest }) => isWhole(contents, manifest))
  if (whole.length > 0) return whole
  return [onlyOf(candidates, parsed, descriptor.digest)]
}

/** Nothing is whole: the reading of the one that would be taken says what it lacks. */
function onlyOf(candidates: readonly Candidate[], index: Index, digest: Digest): Candidate {
  const chosen = selectPlatform(
    candidates.map((candidate) => ({ candidate, platform: candidate.descriptor.platform })),
    hostPlatform(),
  )?.candidate
  const candidate = chosen ?? candidates[0]
  if (candidate !== undefined) return candidate
  throw invalidImage(`index ${digest}: none of its ${index.manifests.length} manifests is in the archive`)
}

function isWhole({ documents, layers }: ArchiveContents, manifest: Manifest): boolean {
  return (
    documents.has(pathOf(manifest.config.digest)) &&
    manifest.layers.every(({ digest }) => layers.has(pathOf(digest)))
  )
}

function bestOf(contents: ArchiveContents, candidates: readonly Candidate[]): Candidate | undefined {
  const entries = candidates.map((candidate) => {
    const { descriptor, manifest } = candidate
    const own = (): NonNullable<Descriptor['platform']> =>
      platformOf(parseImageConfig(blob(contents, manifest.config, limits.config)))
    return { candidate, platform: descriptor.platform ?? own() }
  })
  return (selectPlatform(entries, hostPlatform()) ?? entries[0])?.candidate
}

/** The manifest of an attestation, its config and its statements, as far as they are there. */
function attestationAt(contents: ArchiveContents, descriptor: Descriptor): Documents[number][] {
  const bytes = blob(contents, descriptor, limits.manifest)
  const parsed = parseManifestOrIndex(bytes, { mediaType: descriptor.mediaType })
  if (isIndex(parsed)) return []
  const parts = [parsed.config, ...parsed.layers].filter(({ digest }) =>
    contents.documents.has(pathOf(digest)),
  )
  return [
    { bytes, mediaType: parsed.mediaType },
    ...parts.map((part) => ({ bytes: blob(contents, part, limits.config), mediaType: part.mediaType })),
  ]
}

function checkConfigType({ config }: Manifest): void {
  const { ociConfig, dockerConfig } = mediaTypes
  if (config.mediaType === ociConfig || config.mediaType === dockerConfig) return
  throw invalidImage(
    `config of type ${JSON.stringify(config.mediaType)}: this is not the image of a container`,
  )
}

/** containerd's annotation has the whole name; the standard one sometimes, but usually only the tag. */
function nameOf({ annotations }: Descriptor): Reference | undefined {
  const whole = annotations?.['io.containerd.image.name']
  if (whole !== undefined) return tagged(whole)
  const name = annotations?.['org.opencontainers.image.ref.name']
  return name !== undefined && /[:/]/.test(name) ? tagged(name) : undefined
}

function tagged(text: string): Reference {
  const reference = withDefaultTag(parseReference(text))
  return reference.tag === undefined ? reference : { ...reference, digest: undefined }
}
