import { type Digest, digestOf } from '#base/digest.ts'
import { type Descriptor, mediaTypes } from '#oci/image-spec.ts'
import { encodeJson } from '../../images/manifest.ts'
import type { BuiltDocument } from '../image-output.ts'

/** What is said about an image, without its subject (in-toto attestation framework, "Statement"). */
export interface Predicate {
  readonly type: string
  readonly content: unknown
}

/** The image that is spoken about. */
export interface Subject {
  /** Of its manifest. */
  readonly digest: Digest
  /** Package addresses (purl) under which it has names. */
  readonly names: readonly string[]
}

const STATEMENT = 'application/vnd.in-toto+json'
const STATEMENT_TYPE = 'https://in-toto.io/Statement/v0.1'

/**
 * The documents by which an index carries statements about one of its images: a manifest for no platform whose layers
 * are the statements, with the annotations that BuildKit introduced.
 */
export function attestationDocuments(
  subject: Subject,
  predicates: readonly Predicate[],
): readonly BuiltDocument[] {
  const statements = predicates.map((predicate) => statementOf(subject, predicate))
  const layers = statements.map(({ bytes, type }): Descriptor => ({
    mediaType: STATEMENT,
    digest: digestOf(bytes),
    size: bytes.length,
    annotations: { 'in-toto.io/predicate-type': type },
  }))
  const config = encodeJson({
    architecture: 'unknown',
    os: 'unknown',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  })
  const manifest = encodeJson({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
    layers,
  })
  return [
    {
      bytes: manifest,
      mediaType: mediaTypes.ociManifest,
      descriptor: {
        mediaType: mediaTypes.ociManifest,
        digest: digestOf(manifest),
        size: manifest.length,
        annotations: {
          'vnd.docker.reference.digest': subject.digest,
          'vnd.docker.reference.type': 'attestation-manifest',
        },
        platform: { architecture: 'unknown', os: 'unknown' },
      },
    },
    { bytes: config, mediaType: mediaTypes.ociConfig, descriptor: undefined },
    ...statements.map(({ bytes }) => ({ bytes, mediaType: STATEMENT, descriptor: undefined })),
  ]
}

function statementOf(
  { digest, names }: Subject,
  { type, content }: Predicate,
): { readonly bytes: Uint8Array; readonly type: string } {
  const [algorithm = '', hex = ''] = digest.split(':')
  const subject = (names.length === 0 ? ['_'] : names).map((name) => ({ name, digest: { [algorithm]: hex } }))
  return {
    bytes: encodeJson({ _type: STATEMENT_TYPE, predicateType: type, subject, predicate: content }),
    type,
  }
}
