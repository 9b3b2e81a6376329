/** What a manifest that refers to an image is, for a badge. */
export type ArtifactKind = 'signature' | 'attestation' | 'sbom' | 'provenance' | 'artifact'

const patterns: readonly (readonly [RegExp, ArtifactKind])[] = [
  [/spdx|cyclonedx|sbom/i, 'sbom'],
  [/slsa|provenance/i, 'provenance'],
  [/cosign.*sig|notary\.signature|simplesigning|signature/i, 'signature'],
  [/sigstore\.bundle|in-toto|attest/i, 'attestation'],
]

export function artifactKind(
  artifactType: string | undefined,
  annotations: Readonly<Record<string, string>> = {},
): ArtifactKind {
  const predicate =
    annotations['in-toto.io/predicate-type'] ?? annotations['dev.sigstore.bundle.predicateType'] ?? ''
  const text = `${predicate} ${artifactType ?? ''}`
  return patterns.find(([pattern]) => pattern.test(text))?.[1] ?? 'artifact'
}

/** BuildKit's attestations stand in the index, for no platform. */
export function isAttestation(annotations: Readonly<Record<string, string>> | null | undefined): boolean {
  return annotations?.['vnd.docker.reference.type'] === 'attestation-manifest'
}

/** cosign's names for what belongs to a digest, in registries without referrers. */
export function referrerTags(hex: string): readonly (readonly [string, ArtifactKind])[] {
  return [
    [`sha256-${hex}.sig`, 'signature'],
    [`sha256-${hex}.att`, 'attestation'],
    [`sha256-${hex}.sbom`, 'sbom'],
  ]
}
