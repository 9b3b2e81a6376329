/** What a request shows of itself: the header `Authorization`. RFC 7617 (Basic), RFC 6750 (Bearer). */
export type Presented =
  | { readonly scheme: 'none' }
  | { readonly scheme: 'basic'; readonly name: string; readonly password: string }
  | { readonly scheme: 'bearer'; readonly token: string }
  /** A scheme that nobody here knows, or no such credentials. */
  | { readonly scheme: 'unknown' }

const HEADER = /^(?<scheme>basic|bearer) +(?<value>[A-Za-z0-9._~+/=-]+) *$/i
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/

export function parseAuthorization(header: string | undefined): Presented {
  if (header === undefined || header === '') return { scheme: 'none' }
  const { scheme = '', value = '' } = HEADER.exec(header)?.groups ?? {}
  if (scheme.toLowerCase() === 'bearer') return { scheme: 'bearer', token: value }
  if (scheme === '' || !BASE64.test(value)) return { scheme: 'unknown' }
  const decoded = Buffer.from(value, 'base64').toString('utf8')
  const at = decoded.indexOf(':')
  return at < 0
    ? { scheme: 'unknown' }
    : { scheme: 'basic', name: decoded.slice(0, at), password: decoded.slice(at + 1) }
}
