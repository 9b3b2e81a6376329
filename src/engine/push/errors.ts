import { EngineError } from '#base/errors.ts'
import { familiarName, formatFamiliar, type Reference } from '#oci/reference.ts'

// Wording is contract: Docker's clients and people's scripts match on it.

export function nothingToPush(reference: Reference): EngineError {
  return new EngineError(
    'not_found',
    `An image does not exist locally with the tag: ${familiarName(reference)}`,
    { code: 'IMAGE_NOT_FOUND', details: { ref: familiarName(reference) } },
  )
}

export function noSuchTag(reference: Reference): EngineError {
  return new EngineError('not_found', `tag does not exist: ${formatFamiliar(reference)}`, {
    code: 'IMAGE_NOT_FOUND',
    details: { ref: formatFamiliar(reference) },
  })
}

export function digestPush(): EngineError {
  return new EngineError('invalid_argument', 'cannot push a digest reference', { code: 'PUSH_DIGEST' })
}

export function unknownCompression(name: string): EngineError {
  return new EngineError('invalid_argument', `unknown compression "${name}": want gzip or zstd`, {
    code: 'PUSH_COMPRESSION',
    details: { name },
  })
}
