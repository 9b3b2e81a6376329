import type { Logger } from '#base/logger.ts'
import { type Descriptor, isIndex, parseManifestOrIndex } from '#oci/image-spec.ts'
import type { ReadableRepository } from '#registry/client/repository.ts'
import type { RemoteDocument } from './remote-image.ts'

/** Statements about where an image comes from are documents; what is larger, or more, is left where it is. */
const MAX_ATTESTATIONS = 4
const MAX_STATEMENTS = 16
const MAX_STATEMENT = 4 << 20
const MAX_BYTES = 16 << 20

/**
 * Attestation manifests and their statements, as far as they can be had: an image is one without them, so what fails is
 * logged and left out. Rejects only with the signal's reason.
 */
export async function fetchAttestations(
  repository: ReadableRepository,
  descriptors: readonly Descriptor[],
  { signal, logger }: { readonly signal: AbortSignal; readonly logger: Logger },
): Promise<readonly RemoteDocument[]> {
  const documents: RemoteDocument[] = []
  let bytes = 0
  for (const descriptor of descriptors.slice(0, MAX_ATTESTATIONS)) {
    try {
      for (const document of await attestation(repository, descriptor, signal)) {
        bytes += document.bytes.length
        if (bytes <= MAX_BYTES) documents.push(document)
      }
    } catch (error) {
      signal.throwIfAborted()
      logger.warn('attestation is left out', { digest: descriptor.digest, error })
    }
  }
  return documents
}

async function attestation(
  repository: ReadableRepository,
  { digest, mediaType }: Descriptor,
  signal: AbortSignal,
): Promise<RemoteDocument[]> {
  const { bytes } = await repository.manifest(digest, { signal })
  const manifest = parseManifestOrIndex(bytes, { mediaType })
  if (isIndex(manifest)) return []
  const documents: RemoteDocument[] = [{ bytes, mediaType: manifest.mediaType }]
  for (const blob of [manifest.config, ...manifest.layers].slice(0, MAX_STATEMENTS)) {
    if (blob.size > MAX_STATEMENT) continue
    const statement = await repository.document(blob, { limit: MAX_STATEMENT, signal })
    documents.push({ bytes: statement, mediaType: blob.mediaType })
  }
  return documents
}
