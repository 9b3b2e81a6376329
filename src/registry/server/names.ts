/** The grammar of what stands in a path. distribution-spec "Pulling manifests" */
import { isDigest, type Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const MAX_NAME = 255

/** Throws NAME_INVALID. */
export function checkName(name: string): void {
  if (name.length <= MAX_NAME && NAME.test(name)) return
  throw new EngineError(
    'invalid_argument',
    `invalid repository name: components of lower case letters and digits, separated by "/", ".", "_" or "-", of at most ${MAX_NAME} characters`,
    { code: 'NAME_INVALID', details: { name: name.slice(0, MAX_NAME) } },
  )
}

export function isTag(text: string): boolean {
  return TAG.test(text)
}

/** Throws TAG_INVALID. */
export function checkTag(text: string): void {
  if (isTag(text)) return
  throw new EngineError(
    'invalid_argument',
    'invalid tag: at most 128 letters, digits, "_", "." and "-", not beginning with "." or "-"',
    { code: 'TAG_INVALID', details: { tag: text.slice(0, 128) } },
  )
}

/** Throws DIGEST_INVALID. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text
  const why = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-zA-Z=_-]+$/.test(text)
    ? 'this registry keeps content by sha256 only'
    : 'a digest is "sha256:" and 64 hexadecimal digits'
  throw new EngineError('invalid_argument', `invalid digest: ${why}`, {
    code: 'DIGEST_INVALID',
    details: { digest: text.slice(0, 160) },
  })
}

/** A digest when there is a colon, as no tag has one. */
export function isDigestLike(reference: string): boolean {
  return reference.includes(':')
}
