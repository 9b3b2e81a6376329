import type { IncomingHttpHeaders } from 'node:http'

/** True when the client says that it has the content. RFC 9110, 13.1.2 */
export function isUnchanged(headers: IncomingHttpHeaders, digest: string): boolean {
  const tags = headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags?.includes(`"${digest}"`) === true || tags?.includes('*') === true
}

/** False when the client names what it understands, and the media type is not among it. RFC 9110, 12.5.1 */
export function isAccepted(accept: string | undefined, mediaType: string): boolean {
  if (accept === undefined || accept.trim() === '') return true
  const ranges = accept.split(',').map((range) => range.split(';', 1)[0]?.trim().toLowerCase() ?? '')
  const accepted = ['*/*', 'application/*', 'application/json', mediaType.toLowerCase()]
  return ranges.some((range) => accepted.includes(range))
}
