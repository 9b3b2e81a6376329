import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { formatPlatform, type Platform } from '#oci/platform.ts'

// Wording is contract: Docker's clients and people's scripts match on it.

export function noMatchingManifest(platform: Platform): EngineError {
  const wanted = formatPlatform(platform)
  return new EngineError('not_found', `no matching manifest for ${wanted} in the manifest list entries`, {
    code: 'MANIFEST_NOT_FOR_PLATFORM',
    details: { wanted },
  })
}

export function noTags(familiar: string): EngineError {
  return new EngineError('not_found', `no tags in the repository ${familiar}`, {
    code: 'REPOSITORY_EMPTY',
    details: { repository: familiar },
  })
}

/** The old format whose layers are named by nothing but themselves. */
export function oldManifest(mediaType: string): EngineError {
  return new EngineError(
    'invalid_argument',
    'Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported: ask the author of the image to push it in the OCI image format or Docker Image manifest version 2, schema 2',
    { code: 'MANIFEST_SCHEMA_1', details: { mediaType } },
  )
}

export function tooDeep(digest: Digest): EngineError {
  return new EngineError('invalid_argument', `${digest}: too many indexes within indexes`, {
    code: 'INDEX_TOO_DEEP',
    details: { digest },
  })
}

/** Something else than an image of a container: a chart, a signature, a model. */
export function notAnImage(mediaType: string): EngineError {
  return new EngineError(
    'invalid_argument',
    `unsupported media type ${JSON.stringify(mediaType)}: this is not the image of a container`,
    { code: 'IMAGE_TYPE_UNSUPPORTED', details: { mediaType } },
  )
}

export function wrongBlob(expected: Digest, actual: Digest): EngineError {
  return new EngineError(
    'invalid_argument',
    `filesystem layer verification failed for digest ${expected}: what the registry sent has digest ${actual}`,
    { code: 'LAYER_VERIFICATION', details: { expected, actual } },
  )
}

export function noSpace(needed: number, free: number): EngineError {
  return new EngineError(
    'resource_exhausted',
    `not enough space for the image: about ${inMegabytes(needed)} needed, ${inMegabytes(free)} free; remove what is not needed (system prune), or give the data root more room`,
    { code: 'PULL_NO_SPACE', details: { needed, free } },
  )
}

function inMegabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`
}
