import type { IncomingHttpHeaders } from 'node:http'
import { EngineError } from '#base/errors.ts'

/** Host names under which a TCP listener may be addressed, without port; undefined: not checked. */
export interface GuardRules {
  readonly allowedHosts: readonly string[] | undefined
  /** Whether requests that a browser marks as another site's are refused. */
  readonly sameOrigin: boolean
}

/**
 * Refuses what a web page could send to a local TCP port: another site's request, and a name that was made to
 * resolve to this machine. Nothing to guard on a unix socket, which no browser reaches.
 * @throws EngineError permission_denied
 */
export function guard(headers: IncomingHttpHeaders, authority: string | undefined, rules: GuardRules): void {
  const host = authority ?? headers.host ?? ''
  if (rules.allowedHosts !== undefined && !rules.allowedHosts.includes(hostName(host))) {
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
export function hostName(host: string): string {
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
