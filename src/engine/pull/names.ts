import { isDigest } from '#base/digest.ts'
import { parseReference, type Reference, withTag } from '#oci/reference.ts'

/**
 * What `fromImage` and `tag` of a request mean. `tag` may be a digest and wins over what `from` has; with a digest the
 * tag says nothing. Neither tag nor digest: all tags. Throws `invalid_argument`.
 */
export function pullReference(from: string, tag: string | undefined): Reference {
  const reference = parseReference(from.replace(/:$/, ''))
  if (tag === undefined || tag === '') return withoutTagOfDigest(reference)
  // Through the parser, for its words about digests that are none.
  if (tag.includes(':') && !isDigest(tag))
    return parseReference(`${reference.domain}/${reference.path}@${tag}`)
  return isDigest(tag) ? { ...reference, tag: undefined, digest: tag } : withTag(reference, tag)
}

function withoutTagOfDigest(reference: Reference): Reference {
  return reference.digest === undefined ? reference : { ...reference, tag: undefined }
}
