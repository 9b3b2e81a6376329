import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'

export function noSuchBlob(digest: Digest): EngineError {
  return new EngineError('not_found', `no such blob: ${digest}`, {
    code: 'BLOB_NOT_FOUND',
    details: { digest },
  })
}

export function damagedBlob(digest: Digest, cause?: unknown): EngineError {
  return new EngineError('data_loss', `blob ${digest} is damaged: its content has another digest`, {
    code: 'BLOB_DAMAGED',
    details: { digest },
    ...(cause === undefined ? {} : { cause }),
  })
}

export function wrongDigest(expected: Digest, actual: Digest): EngineError {
  return new EngineError('invalid_argument', `blob has digest ${actual} instead of ${expected}`, {
    code: 'BLOB_DIGEST_MISMATCH',
    details: { expected, actual },
  })
}
