import { EngineError, type EngineErrorInit } from '#base/errors.ts'
import { shortId } from '#base/ids.ts'
import type { Platform } from '#oci/platform.ts'
import { formatFamiliar, parseAnyReference, withDefaultTag } from '#oci/reference.ts'

// Wording is contract: Docker's clients and people's scripts match on it.

/** `ref` is what the user wrote. */
export function noSuchImage(ref: string): EngineError {
  const parsed = parseAnyReference(ref)
  const shown = parsed.kind === 'id' ? parsed.id : formatFamiliar(withDefaultTag(parsed.reference))
  return new EngineError('not_found', `No such image: ${shown}`, {
    code: 'IMAGE_NOT_FOUND',
    details: { ref },
  })
}

export function wrongPlatform(ref: string, actual: string, wanted: string): EngineError {
  return new EngineError(
    'not_found',
    `image with reference ${ref} was found but its platform (${actual}) does not match the specified platform (${wanted})`,
    { code: 'IMAGE_PLATFORM', details: { ref, actual, wanted } },
  )
}

export function platformMissing(wanted: string): EngineError {
  return new EngineError('not_found', `the archive has no image for platform ${wanted}`, {
    code: 'IMAGE_PLATFORM',
    details: { wanted },
  })
}

/** The last name of an image would go while a container needs the image. */
export function referenceInUse(ref: string, containerId: string, imageId: string): EngineError {
  return new EngineError(
    'conflict',
    `conflict: unable to remove repository reference "${ref}" (must force) - container ${shortId(containerId)} is using its referenced image ${shortId(imageId)}`,
    { code: 'IMAGE_IN_USE', details: { ref, containerId, imageId } },
  )
}

export function imageInUse(imageId: string, reason: string, forcible: boolean): EngineError {
  const force = forcible ? 'must be forced' : 'cannot be forced'
  return new EngineError(
    'conflict',
    `conflict: unable to delete ${shortId(imageId)} (${force}) - ${reason}`,
    {
      code: 'IMAGE_IN_USE',
      details: { imageId },
    },
  )
}

export function invalidImage(message: string, init: Partial<EngineErrorInit> = {}): EngineError {
  return new EngineError('invalid_argument', message, { code: 'IMAGE_INVALID', ...init })
}

/** Ours to keep, and gone or damaged; pulling or loading the image again brings it back. */
export function missingLayer(diffId: string, imageId: string): EngineError {
  return new EngineError(
    'data_loss',
    `layer ${diffId} of image ${shortId(imageId)} is missing or damaged: pull or load the image again`,
    { code: 'LAYER_MISSING', details: { diffId, imageId } },
  )
}

export function invalidFilter(key: string, value?: string): EngineError {
  const what = value === undefined ? `invalid filter '${key}'` : `invalid filter '${key}=${value}'`
  return new EngineError('invalid_argument', what, { code: 'FILTER_INVALID', details: { key, value } })
}

export function unsupportedSystem({ os }: Platform): EngineError {
  return new EngineError('invalid_argument', `operating system is not supported: ${os}`, {
    code: 'PLATFORM_INVALID',
  })
}

export function severalUntil(): EngineError {
  return new EngineError('invalid_argument', 'more than one until filter specified', {
    code: 'FILTER_INVALID',
  })
}
