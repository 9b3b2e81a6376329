import type { Digest } from '#base/digest.ts'
import { EngineError, type EngineErrorInit } from '#base/errors.ts'

/** Docker prints the message as it is, behind the name that was asked for: the reference is a detail. */
export function manifestUnknown(reference: string, why = 'manifest unknown'): EngineError {
  return new EngineError('not_found', why, {
    code: 'MANIFEST_UNKNOWN',
    details: { reference },
  })
}

export function nameUnknown(name: string): EngineError {
  return new EngineError('not_found', 'repository name not known to registry', {
    code: 'NAME_UNKNOWN',
    details: { name },
  })
}

export function manifestInvalid(
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): EngineError {
  return invalid(message, { code: 'MANIFEST_INVALID', details })
}

/** The manifest needs what the repository does not have. */
export function contentMissing(digest: Digest): EngineError {
  return invalid(`the manifest refers to ${digest}, which the repository does not have`, {
    code: 'MANIFEST_BLOB_UNKNOWN',
    details: { digest },
  })
}

export function sizeInvalid(message: string, details: Readonly<Record<string, unknown>>): EngineError {
  return invalid(message, { code: 'SIZE_INVALID', details })
}

export function manifestTooLarge(limit: number): EngineError {
  return invalid(`the manifest is larger than ${limit} bytes`, {
    code: 'MANIFEST_TOO_LARGE',
    details: { limit },
  })
}

export function blobInUse(digest: Digest, manifest: Digest): EngineError {
  return new EngineError('not_implemented', `the manifest ${manifest} needs the blob; delete that first`, {
    code: 'BLOB_IN_USE',
    details: { digest, manifest },
  })
}

export function isReadOnly(): EngineError {
  return new EngineError('not_implemented', 'this registry can only be pulled from at the moment', {
    code: 'REGISTRY_READ_ONLY',
  })
}

export function tooManyUploads(what: string): EngineError {
  return new EngineError('resource_exhausted', `too many ${what}; try again in a moment`, {
    code: 'UPLOAD_LIMIT',
    details: { retryAfter: 2 },
  })
}

/** A chunk that does not continue where the upload ends. `headers` say where that is. */
export function outOfOrder(
  start: number,
  size: number,
  headers: Readonly<Record<string, string>>,
): EngineError {
  return invalid(`the chunk begins at ${start}, but the upload has ${size} bytes`, {
    code: 'UPLOAD_OUT_OF_ORDER',
    details: { offset: size, headers },
  })
}

export function contentRangeInvalid(text: string): EngineError {
  return invalid(`Content-Range must be FIRST-LAST, not ${JSON.stringify(text)}`, {
    code: 'UPLOAD_RANGE_INVALID',
  })
}

/** A request that has to be another one. */
export function invalid(message: string, init: EngineErrorInit): EngineError {
  return new EngineError('invalid_argument', message, init)
}
