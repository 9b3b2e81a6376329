import { type Digest, digestOf, hexOf } from '#base/digest.ts'
import { type Descriptor, mediaTypes, parseManifest } from '#oci/image-spec.ts'
import { encodeJson } from '../images/manifest.ts'

/** A document that goes to the registry with an attestation. */
export interface AttestationDocument {
  readonly bytes: Uint8Array
  readonly descriptor: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>
}

export interface MovedAttestation {
  /** As the index has it. */
  readonly entry: Descriptor
  readonly manifest: AttestationDocument
  /** Its configuration and statements. */
  readonly blobs: readonly AttestationDocument[]
}

/**
 * What is said about the manifest `from`, said about `to`: the same image, whose layers have been compressed for a registry.
 * Undefined when a statement is not one that can be read, or is signed.
 */
export function movedAttestation(
  entry: Descriptor,
  original: Uint8Array,
  statements: ReadonlyMap<Digest, Uint8Array>,
  { from, to }: { readonly from: Digest; readonly to: Digest },
): MovedAttestation | undefined {
  const manifest = parseManifest(original)
  const layers: { readonly layer: Descriptor; readonly document: AttestationDocument }[] = []
  for (const layer of manifest.layers) {
    const bytes = statements.get(layer.digest)
    const moved = bytes === undefined ? undefined : movedStatement(bytes, from, to)
    if (moved === undefined) return undefined
    const document = documentOf(moved, layer.mediaType)
    layers.push({ layer: { ...layer, ...document.descriptor }, document })
  }
  const config = documentOf(
    encodeJson({
      architecture: 'unknown',
      os: 'unknown',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(({ layer }) => layer.digest) },
    }),
    mediaTypes.ociConfig,
  )
  const whole = documentOf(
    encodeJson({ ...manifest, config: config.descriptor, layers: layers.map(({ layer }) => layer) }),
    mediaTypes.ociManifest,
  )
  const annotations = { ...entry.annotations, 'vnd.docker.reference.digest': to }
  return {
    entry: { ...entry, ...whole.descriptor, annotations },
    manifest: whole,
    blobs: [config, ...layers.map(({ document }) => document)],
  }
}

/** An envelope with a signature has no `subject` that could be changed. */
function movedStatement(bytes: Uint8Array, from: Digest, to: Digest): Uint8Array | undefined {
  const statement = parse(bytes)
  const subjects = statement?.['subject']
  if (statement === undefined || !Array.isArray(subjects)) return undefined
  const moved = subjects.map((subject: { readonly digest?: { readonly sha256?: unknown } }) =>
    subject.digest?.sha256 === hexOf(from)
      ? { ...subject, digest: { ...subject.digest, sha256: hexOf(to) } }
      : subject,
  )
  return encodeJson({ ...statement, subject: moved })
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined
  } catch {
    return undefined // no JSON: nothing that could be said of another manifest
  }
}

function documentOf(bytes: Uint8Array, mediaType: string): AttestationDocument {
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } }
}
