import { isDigest, type Digest } from '#base/digest.ts'
import {
  type Descriptor,
  isIndex,
  type Index,
  type Manifest,
  mediaTypes,
  parseManifestOrIndex,
} from '#oci/image-spec.ts'
import { manifestInvalid } from './errors.ts'

/** A manifest that somebody pushes, as far as a registry cares. */
export interface ManifestDocument {
  readonly mediaType: string
  readonly artifactType: string | undefined
  readonly config: Digest | undefined
  readonly subject: Digest | undefined
  readonly annotations: Readonly<Record<string, string>> | undefined
  /** Config and layers that must be there. */
  readonly blobs: readonly Descriptor[]
  /** Layers that lie elsewhere by their media type. */
  readonly foreign: readonly Descriptor[]
  /** Manifests of an index. */
  readonly children: readonly Descriptor[]
  /** Bytes of config and layers. */
  readonly contentSize: number
}

const SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1'
const known: readonly string[] = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerIndex,
]

/**
 * Reads and checks the document. `contentType` is the header; a document that says another media type than its header, or
 * that others could read as something else, is refused (CVE-2021-41190). Throws MANIFEST_INVALID.
 */
export function readManifest(bytes: Uint8Array, contentType: string | undefined): ManifestDocument {
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase()
  if (mediaType?.startsWith(SCHEMA1) === true) {
    throw manifestInvalid('schema 1 manifests are not taken any more; push with a newer client')
  }
  const specific = mediaType === undefined || mediaType === '' || !known.includes(mediaType)
  if (specific && mediaType !== undefined && !isGeneric(mediaType)) {
    throw manifestInvalid(`unsupported media type ${JSON.stringify(mediaType.slice(0, 100))}`)
  }
  const document = parseManifestOrIndex(bytes, { mediaType: specific ? undefined : mediaType })
  const raw = document as unknown as Readonly<Record<string, unknown>>
  const shared = {
    mediaType: document.mediaType,
    subject: subjectOf(raw['subject']),
    annotations: document.annotations ?? undefined,
  }
  return isIndex(document) ? ofIndex(document, shared) : ofManifest(document, shared)
}

type Shared = Pick<ManifestDocument, 'mediaType' | 'subject' | 'annotations'>

function ofIndex(index: Index, shared: Shared): ManifestDocument {
  return {
    ...shared,
    artifactType: textOf(index.artifactType),
    config: undefined,
    blobs: [],
    foreign: [],
    children: index.manifests,
    contentSize: 0,
  }
}

function ofManifest(manifest: Manifest, shared: Shared): ManifestDocument {
  const { config, layers } = manifest
  const foreign = layers.filter(({ mediaType }) => isForeign(mediaType))
  const blobs = [config, ...layers.filter(({ mediaType }) => !isForeign(mediaType))]
  return {
    ...shared,
    artifactType: textOf(manifest.artifactType) ?? config.mediaType,
    config: config.digest,
    blobs,
    foreign,
    children: [],
    contentSize: blobs.reduce((sum, { size }) => sum + size, 0),
  }
}

/** What says nothing about the document. */
function isGeneric(mediaType: string): boolean {
  return ['', 'application/json', 'application/octet-stream'].includes(mediaType)
}

/** Licences forbid to distribute them: they are fetched from where they come from. */
function isForeign(mediaType: string): boolean {
  return (
    mediaType === mediaTypes.dockerForeignLayer ||
    mediaType.startsWith('application/vnd.oci.image.layer.nondistributable.')
  )
}

/** The digest alone matters; it need not be here. A malformed one is refused (CVE-2026-95839). */
function subjectOf(value: unknown): Digest | undefined {
  if (value === undefined || value === null) return undefined
  const digest =
    typeof value === 'object' ? (value as Readonly<Record<string, unknown>>)['digest'] : undefined
  if (typeof digest === 'string' && isDigest(digest)) return digest
  throw manifestInvalid('subject: want a descriptor with a sha256 digest')
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string') return value
  throw manifestInvalid('artifactType: want a string')
}
