import type { Digest } from '#base/digest.ts'
import { EngineError, isErrno } from '#base/errors.ts'

export function noSuchLayer(diffId: Digest): EngineError {
  return new EngineError('not_found', `no such layer: ${diffId}`, {
    code: 'LAYER_NOT_FOUND',
    details: { diffId },
  })
}

export function damagedLayer(diffId: Digest, reason: string, cause?: unknown): EngineError {
  return new EngineError(
    'data_loss',
    `layer ${diffId} is damaged: ${reason}; pull or load an image that has it to repair it`,
    { code: 'LAYER_DAMAGED', details: { diffId, reason }, ...(cause === undefined ? {} : { cause }) },
  )
}

export function wrongDiffId(expected: Digest, actual: Digest): EngineError {
  return new EngineError('invalid_argument', `layer has digest ${actual} instead of ${expected}`, {
    code: 'LAYER_DIGEST_MISMATCH',
    details: { expected, actual },
  })
}

export function noSuchSnapshot(id: string): EngineError {
  return new EngineError('not_found', `no such snapshot: ${id}`, {
    code: 'SNAPSHOT_NOT_FOUND',
    details: { id },
  })
}

export function snapshotExists(id: string): EngineError {
  return new EngineError('conflict', `snapshot ${id} exists already`, {
    code: 'SNAPSHOT_EXISTS',
    details: { id },
  })
}

/** A failed file operation in the words of a person; an EngineError is passed on as it is. */
export function storageError(error: unknown, path: string): unknown {
  if (isErrno(error, 'ENOSPC', 'EDQUOT')) {
    return new EngineError('resource_exhausted', `no space left on device: ${path}`, {
      code: 'DISK_FULL',
      details: { path },
      cause: error,
    })
  }
  if (error instanceof Error && 'errno' in error && !(error instanceof EngineError)) {
    return new EngineError('internal', `${path}: ${error.message}`, {
      code: 'STORAGE_FAILED',
      details: { path },
      cause: error,
    })
  }
  return error
}
