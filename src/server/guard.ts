import type { IncomingHttpHeaders } from 'node:http'
import { EngineError } from '#base/errors.ts'
import { isLoopback, type Address } from './listen.ts'

/** Host names under which a TCP listener may be addressed, without port; undefined: not checked. */
export interface GuardRules {
  readonly allowedHosts: readonly string[] | undefined
  /** Whether requests that a browser marks as another site's are refused. */
  readonly sameOrigin: boolean
}

/**
 * What a listener asks of those who knock.
 * @throws EngineError invalid_argument when it would be open to the network
 */
export function guardRules(
  address: Address,
  {
    tls,
    allowedHosts = [],
  }: { readonly tls?: object | undefined; readonly allowedHosts?: readonly string[] | undefined },
): GuardRules {
  if (address.kind !== 'tcp') return { allowedHosts: undefined, sameOrigin: false }
  if (tls !== undefined) return { allowedHosts: undefined, sameOrigin: true }
  if (!isLoopback(address.host)) {
    throw new EngineError(
      'invalid_argument',
      `refusing to listen on tcp://${address.host}:${address.port} without TLS: whoever reaches it is root on this machine. Listen on a unix socket or on loopback, or set tlsverify, tlscacert, tlscert and tlskey`,
      { code: 'TCP_WITHOUT_TLS' },
    )
  }
  const hosts = ['localhost', '127.0.0.1', '::1', address.host, ...allowedHosts]
  return { allowedHosts: hosts.map(hostName), sameOrigin: true }
}

/**
 * Refuses what a web page could send to a local TCP port: another site's request, and a name that was made to
 * resolve to this machine. Nothing to guard on a unix socket, which no browser reaches.
 * @throws EngineError permission_denied
 */
export function guard(headers: IncomingHttpHeaders, authority: string | undefined, rules: GuardRules): void {
  const host = authority ?? headers.host ?? ''
  // Clients of BuildKit name no host over TCP. Browsers always do, and cannot ask for this upgrade.
  const isNameless = host === '' && headers.upgrade?.toLowerCase() === 'h2c'
  if (rules.allowedHosts !== undefined && !isNameless && !rules.allowedHosts.includes(hostName(host))) {
    throw refused(
      `Host ${JSON.stringify(host)} is not served here; allow it where the listener is configured`,
    )
  }
  if (!rules.sameOrigin) return
  const site = headers['sec-fetch-site']
  if (site === 'cross-site' || site === 'same-site') throw refused('requests from other sites are refused')
  const { origin } = headers
  if (origin !== undefined && originHost(origin) !== host.toLowerCase()) {
    throw refused(`requests from origin ${JSON.stringify(origin)} are refused`)
  }
}

/** `Name:port` and `[::1]:port` without the port, in lower case. */
function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
}

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}

function refused(message: string): EngineError {
  return new EngineError('permission_denied', message, { code: 'REQUEST_ORIGIN_REFUSED' })
}
