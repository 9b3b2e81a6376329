import { EngineError } from '#base/errors.ts'

/** Where a request goes, in the one form that guards, routes and the access log share. */
export interface Target {
  /** Digits and dots after `/v`; undefined without a prefix. */
  readonly version: string | undefined
  /** Without the version prefix; still percent-encoded, so that `%2F` is no separator. */
  readonly path: string
  readonly query: string
  /** From an absolute-form request target: it takes the place of the Host header. */
  readonly authority: string | undefined
}

const PRINTABLE = /^[\x21-\x7e]*$/
const ABSOLUTE = /^https?:\/\/([^/?]*)/i
const VERSION = /^\/v([0-9.]+)(?=\/|$)/

/**
 * Reads a request target (RFC 9112 section 3.2). Refused as invalid_argument: characters that need encoding,
 * broken escapes, control characters and dot segments, plain or encoded, also inside a name. Doubled slashes
 * stay, and so match no route; who asks is sent to the path without them.
 */
export function parseTarget(url: string): Target {
  if (!PRINTABLE.test(url) || url.includes('#')) throw invalidTarget()
  const authority = ABSOLUTE.exec(url)?.[1]
  const rest = authority === undefined ? url : url.replace(ABSOLUTE, '')
  const mark = rest.indexOf('?')
  const whole = (mark === -1 ? rest : rest.slice(0, mark)) || '/'
  const query = mark === -1 ? '' : rest.slice(mark + 1)
  if (whole === '*') return { version: undefined, path: '*', query, authority }
  if (!whole.startsWith('/')) throw invalidTarget()
  whole.split('/').forEach(checkSegment)

  const version = VERSION.exec(whole)?.[1]
  const path = version === undefined ? whole : whole.slice(`/v${version}`.length) || '/'
  return { version, path, query, authority }
}

function checkSegment(segment: string): void {
  const text = decodeSegment(segment)
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(text)) throw invalidTarget()
  if (text.split('/').some((part) => part === '.' || part === '..')) throw invalidTarget()
}

/** Percent-decodes one path segment; invalid_argument when the escapes are broken. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (cause) {
    throw invalidTarget(cause)
  }
}

function invalidTarget(cause?: unknown): EngineError {
  return new EngineError('invalid_argument', 'invalid path in the request', {
    code: 'REQUEST_TARGET_INVALID',
    cause,
  })
}
