import type { Digest } from '#base/digest.ts'
import { type Descriptor, type Index, mediaTypes, parseManifest } from '#oci/image-spec.ts'
import { type ImageManifests, type StoredIndex, subjectOf, type Variant } from '../images/image-manifests.ts'
import { movedAttestation } from './moved-attestation.ts'
import {
  type ImagePushDeps,
  readyImage,
  type ReadyManifest,
  sendDocument,
  settled,
  written,
} from './image-push.ts'

export interface IndexPushDeps extends ImagePushDeps {
  readonly manifests: ImageManifests
  readonly note: (text: string) => void
}

/**
 * Brings everything that an index names into the repository, children put by their digests. The index is the very one
 * that came when all its children could be pushed as they came; else it is written anew with the children's new
 * digests, and so is what was stated here about them. What is not here, and what strangers stated about a manifest that has another
 * digest now, is left out and noted.
 */
export async function readyIndex(
  index: StoredIndex,
  variants: readonly Variant[],
  deps: IndexPushDeps,
): Promise<ReadyManifest> {
  const entries = new Map<Digest, Descriptor>()
  const children = await settled(
    variants.flatMap((variant) =>
      variant.imageId === undefined ? [] : [readyChild(variant, variant.imageId, deps)],
    ),
    deps.stop,
  )
  for (const { named, descriptor } of children) entries.set(named.digest, { ...named, ...descriptor })
  const moved: ReadyManifest[] = []
  for (const { descriptor, kind } of variants) {
    if (kind !== 'attestation') continue
    if (await sendAttestation(descriptor, entries, deps)) entries.set(descriptor.digest, descriptor)
    else moved.push(...(await sendMoved(descriptor, children, entries, deps)))
  }
  const kept = variants.filter(({ descriptor }) => entries.has(descriptor.digest))
  noteMissing(variants.length - kept.length, deps)
  const same = kept.every(({ descriptor }) => entries.get(descriptor.digest)?.digest === descriptor.digest)
  const imageIds = children.flatMap((child) => child.imageIds)
  if (same && kept.length === variants.length) {
    return { bytes: index.bytes, descriptor: index.descriptor, imageIds, children }
  }
  const manifests = kept.map(({ descriptor }) => entries.get(descriptor.digest) ?? descriptor)
  const document: Index = { ...index.document, mediaType: mediaTypes.ociIndex, manifests }
  return { ...written(document, imageIds), children: [...children, ...moved] }
}

interface ReadyChild extends ReadyManifest {
  /** What the index had for it. */
  readonly named: Descriptor
  /** Its manifest was made here, of plain layers: what goes to registries says the same of compressed ones. */
  readonly made: boolean
}

/** An image of the index, put by its digest. */
async function readyChild(
  { descriptor: named }: Variant,
  imageId: Digest,
  deps: IndexPushDeps,
): Promise<ReadyChild> {
  const [original] = await deps.manifests.of(imageId, named.digest)
  const ready = await readyImage(imageId, original, deps)
  const { digest, mediaType } = ready.descriptor
  await deps.repository.putManifest(digest, { bytes: ready.bytes, mediaType }, { signal: deps.signal })
  const plain = original?.document.layers.every((layer) => layer.mediaType === mediaTypes.ociLayer)
  return { ...ready, named, made: plain === true }
}

/** Statements that were made here, about a manifest that was made here as well: they follow it. */
async function sendMoved(
  descriptor: Descriptor,
  children: readonly ReadyChild[],
  entries: Map<Digest, Descriptor>,
  deps: IndexPushDeps,
): Promise<readonly ReadyManifest[]> {
  const subject = subjectOf(descriptor)
  const child = children.find(({ named, made }) => made && named.digest === subject)
  const bytes = await deps.manifests.bytes(descriptor.digest)
  if (child === undefined || bytes === undefined) return []
  const statements = new Map<Digest, Uint8Array>()
  for (const { digest } of parseManifest(bytes).layers) {
    const statement = await deps.manifests.bytes(digest)
    if (statement !== undefined) statements.set(digest, statement)
  }
  const moved = movedAttestation(descriptor, bytes, statements, {
    from: child.named.digest,
    to: child.descriptor.digest,
  })
  if (moved === undefined) return []
  for (const blob of moved.blobs) await sendDocument(blob.bytes, blob.descriptor.digest, deps)
  const { mediaType, digest } = moved.manifest.descriptor
  await deps.repository.putManifest(
    digest,
    { bytes: moved.manifest.bytes, mediaType },
    { signal: deps.signal },
  )
  entries.set(descriptor.digest, moved.entry)
  const { imageIds } = child
  return [moved.manifest, ...moved.blobs].map((document) => ({ ...document, imageIds }))
}

/** False when it is not wholly here, or when it would speak about something else. */
async function sendAttestation(
  descriptor: Descriptor,
  entries: ReadonlyMap<Digest, Descriptor>,
  deps: IndexPushDeps,
): Promise<boolean> {
  const subject = subjectOf(descriptor) as Digest | undefined
  if (subject === undefined || entries.get(subject)?.digest !== subject) return false
  const bytes = await deps.manifests.bytes(descriptor.digest)
  if (bytes === undefined) return false
  const { config, layers } = parseManifest(bytes)
  for (const { digest } of [config, ...layers]) {
    const blob = await deps.manifests.bytes(digest)
    if (blob === undefined) return false
    await sendDocument(blob, digest, deps)
  }
  const { digest, mediaType } = descriptor
  await deps.repository.putManifest(digest, { bytes, mediaType }, { signal: deps.signal })
  return true
}

function noteMissing(count: number, { note }: IndexPushDeps): void {
  if (count === 0) return
  const what = count === 1 ? '1 entry' : `${count} entries`
  note(`Left out of the index: ${what} that is not here, or that is about a manifest which was written anew`)
}
