import type { Descriptor } from '#oci/image-spec.ts'
import { isIndex, parseManifestOrIndex } from '#oci/image-spec.ts'
import { isDigest, type Digest } from '#base/digest.ts'
import type { FetchedManifest } from '../../client/repository.ts'
import type { NewManifest } from '../storage/manifest-rows.ts'

/** A manifest as the cache keeps it, and the blobs it speaks of, which need not be here. */
export interface CachedDocument {
  readonly manifest: Omit<NewManifest, 'blobs'>
  readonly contents: readonly Pick<Descriptor, 'digest' | 'size'>[]
}

/** Reads what came from the upstream; `invalid_argument` when it is neither a manifest nor an index. */
export function cachedDocument(
  repository: string,
  { descriptor, bytes }: FetchedManifest,
  now: number,
): CachedDocument {
  const document = parseManifestOrIndex(bytes, { mediaType: descriptor.mediaType })
  const contents = isIndex(document) ? [] : [document.config, ...document.layers]
  const config = isIndex(document) ? undefined : document.config
  return {
    manifest: {
      repository,
      digest: descriptor.digest,
      mediaType: document.mediaType,
      artifactType: document.artifactType ?? config?.mediaType,
      config: config?.digest,
      subject: subjectOf(document),
      annotations: document.annotations ?? undefined,
      contentSize: contents.reduce((sum, { size }) => sum + size, 0),
      pushed: now,
      bytes,
      children: isIndex(document) ? document.manifests.map(({ digest }) => digest) : [],
    },
    contents: contents.map(({ digest, size }) => ({ digest, size })),
  }
}

/** A subject that cannot be one is none: the document is a stranger's. */
function subjectOf(document: object): Digest | undefined {
  const subject: unknown = 'subject' in document ? document.subject : undefined
  if (typeof subject !== 'object' || subject === null || !('digest' in subject)) return undefined
  return typeof subject.digest === 'string' && isDigest(subject.digest) ? subject.digest : undefined
}
