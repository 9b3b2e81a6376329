import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { artifactKind, isAttestation } from './artifact-kind.ts'

describe('artifactKind()', () => {
  it('knows what signing and describing tools make', () => {
    const kinds = [
      'application/vnd.dev.cosign.artifact.sig.v1+json',
      'application/vnd.cncf.notary.signature',
      'application/spdx+json',
      'application/vnd.cyclonedx+json',
      'application/vnd.in-toto+json',
      'application/vnd.dev.sigstore.bundle.v0.3+json',
      'application/vnd.example.thing',
      undefined,
    ].map((type) => artifactKind(type))
    assert.deepEqual(kinds, [
      'signature',
      'signature',
      'sbom',
      'sbom',
      'attestation',
      'attestation',
      'artifact',
      'artifact',
    ])
  })

  it('goes by the predicate of an attestation first', () => {
    const annotations = { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' }
    assert.equal(artifactKind('application/vnd.in-toto+json', annotations), 'provenance')
    assert.ok(isAttestation({ 'vnd.docker.reference.type': 'attestation-manifest' }))
    assert.ok(!isAttestation(null))
  })
})
