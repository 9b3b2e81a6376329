/**
 * Failures of a registry, written once. Where OCI's distribution-spec has a code for one, the code is that one: the HTTP
 * edge sends it as it is (../errors.ts has the statuses).
 */
import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'

export function blobUnknown(digest: Digest): EngineError {
  return new EngineError('not_found', `blob unknown to registry: ${digest}`, {
    code: 'BLOB_UNKNOWN',
    details: { digest },
  })
}

export function uploadUnknown(id: string): EngineError {
  return new EngineError('not_found', 'blob upload unknown to registry', {
    code: 'BLOB_UPLOAD_UNKNOWN',
    details: { upload: id },
  })
}

/** Two requests write to the same upload at the same time. */
export function uploadBusy(id: string): EngineError {
  return new EngineError('conflict', 'another request is writing to this upload; wait for it to end', {
    code: 'BLOB_UPLOAD_BUSY',
    details: { upload: id },
  })
}

export function digestMismatch(expected: Digest, received: Digest): EngineError {
  return new EngineError(
    'invalid_argument',
    `provided digest did not match uploaded content: ${expected} was said, ${received} was received`,
    { code: 'DIGEST_INVALID', details: { digest: expected, received } },
  )
}

export function uploadTooLarge(limit: number): EngineError {
  return new EngineError('invalid_argument', `blob is larger than the ${limit} bytes this registry takes`, {
    code: 'BLOB_UPLOAD_TOO_LARGE',
    details: { limit },
  })
}

export function rangeOutside(offset: number, end: number, size: number): EngineError {
  return new EngineError('invalid_argument', `bytes ${offset} to ${end} of a blob of ${size} bytes`, {
    code: 'BLOB_RANGE_OUTSIDE',
    details: { offset, end, size },
  })
}

export function storageFull(path: string, cause: unknown): EngineError {
  return new EngineError('unavailable', `no space left on device: ${path}`, {
    code: 'REGISTRY_STORAGE_FULL',
    details: { path },
    cause,
  })
}
