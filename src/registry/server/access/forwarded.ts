import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { isLoopbackHost } from './exposure.ts'

/** Where a request comes from. */
export interface Origin {
  readonly secure: boolean
  readonly remoteAddress: string
}

/**
 * What a proxy on this host says about its client: `X-Forwarded-Proto`, and the last address of `X-Forwarded-For`, which
 * is the one that the proxy has seen itself. From any other address these headers are anybody's word, and are ignored.
 */
export function forwardedOrigin(headers: IncomingHttpHeaders, connection: Origin): Origin {
  const peer = connection.remoteAddress.replace(/^::ffff:(?=127\.)/i, '')
  if (!isLoopbackHost(peer)) return connection
  const scheme = last(headers['x-forwarded-proto'])?.toLowerCase()
  const address = last(headers['x-forwarded-for'])
  return {
    secure: scheme === 'https' || (scheme === undefined && connection.secure),
    remoteAddress: address !== undefined && isIP(address) !== 0 ? address : connection.remoteAddress,
  }
}

function last(header: string | readonly string[] | undefined): string | undefined {
  const text = typeof header === 'string' ? header : header?.at(-1)
  return text?.split(',').at(-1)?.trim()
}
