/** A list and what it names to one repository: what is elsewhere in the same registry is mounted. */
import { type Descriptor, mediaTypes, parseManifest } from '#oci/image-spec.ts'
import { parseReference, type Reference, repositoryOf } from '#oci/reference.ts'
import type { Repository } from '#registry/client/repository.ts'
import type { Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { checkRegistry, listDocument } from './list-document.ts'
import type { ListedImage } from './listed-image.ts'
import { asked, type Registries } from './registries.ts'
import { sideBySide } from './side-by-side.ts'

/** Returns the digest of the list. */
export async function pushList(
  registries: Registries,
  list: Reference,
  images: readonly ListedImage[],
  context: Context,
): Promise<string> {
  checkRegistry(list, images)
  checkPlatforms(images)
  const elsewhere = images.filter(({ reference }) => parseReference(reference).path !== list.path)
  for (const image of elsewhere) {
    await asked(list, () => copyImage(registries, list, image, context))
    const name = `${repositoryOf(list)}@${image.digest}`
    context.out(`Pushed ref ${name} with digest: ${image.digest}\n`)
  }
  const { text, mediaType } = listDocument(images)
  return asked(list, async () => {
    const target = await registries.repository(list)
    const manifest = { bytes: Buffer.from(text), mediaType }
    const { digest } = await target.putManifest(list.tag ?? '', manifest, { signal: context.signal })
    return digest
  })
}

function checkPlatforms(images: readonly ListedImage[]): void {
  const unknown = images.find(({ platform: { os, architecture } }) => os === '' || architecture === '')
  if (unknown === undefined) return
  throw commandError(
    `manifest ${unknown.reference} must have an OS and Architecture to be pushed to a registry; ` +
      `give them with 'berth manifest annotate --os OS --arch ARCH'`,
  )
}

async function copyImage(
  registries: Registries,
  list: Reference,
  { reference, mediaType, digest, bytes }: ListedImage,
  context: Context,
): Promise<void> {
  const from = parseReference(reference)
  const source = await registries.repository(from)
  const target = await registries.repository(list)
  const { config, layers } = parseManifest(bytes, { mediaType })
  const blobs = new Map([config, ...layers].map((blob) => [blob.digest, blob]))
  await sideBySide([...blobs.values()], context.signal, (blob, signal) =>
    copyBlob({ source, target, blob, signal }, context),
  )
  await target.putManifest(digest, { bytes, mediaType }, { signal: context.signal })
}

interface Copy {
  readonly source: Repository
  readonly target: Repository
  readonly blob: Descriptor
  readonly signal: AbortSignal
}

/** Registries need not know how to mount, and then the bytes make the way over here. */
async function copyBlob({ source, target, blob, signal }: Copy, { err }: Context): Promise<void> {
  if (await target.mount(blob.digest, source.name.path, { signal })) return
  if (isForeign(blob) || (await target.hasBlob(blob.digest, { signal }))) return
  err(`Copying ${blob.digest} from ${source.name.path}: the registry does not mount it\n`)
  const { digest, size } = blob
  await target.upload({ digest, size, read: (offset) => bytesFrom(source, blob, offset, signal) }, { signal })
}

/** Layers that no registry holds: those of Windows. */
function isForeign({ mediaType }: Descriptor): boolean {
  return mediaType === mediaTypes.dockerForeignLayer || mediaType.includes('.nondistributable.')
}

async function* bytesFrom(
  source: Repository,
  blob: Descriptor,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const body = await source.blob(blob, { offset, signal })
  // A registry that does not know ranges begins at the beginning.
  let before = offset - body.offset
  for await (const chunk of body.chunks) {
    if (before < chunk.length) yield chunk.subarray(before)
    before = Math.max(0, before - chunk.length)
  }
}
