/**
 * Whether a token service may be asked. A registry names it in its challenge, and whoever can write that header could
 * have credentials sent anywhere, or have us call what only this host reaches (CVE-2026-48978, CVE-2026-33540).
 */
import type { EngineError } from '#base/errors.ts'
import { classOfHost, mayLeadTo } from './addresses.ts'
import { quotable, refusedTarget } from './errors.ts'
import type { Endpoint } from './hosts.ts'

export interface RealmQuestion {
  readonly realm: string
  readonly endpoint: Endpoint
  /** The address that sent the challenge. */
  readonly from: URL
  readonly withCredentials: boolean
  /** The setting `registry-token-hosts`: `host[:port]` or `*.example.com`. */
  readonly allowed: readonly string[]
}

export interface VettedRealm {
  readonly url: URL
  /** Named in the setting: its address may be an inner one. */
  readonly trusted: boolean
}

/** Throws `permission_denied` naming the realm and the setting that allows it. */
export function vetRealm(question: RealmQuestion): VettedRealm {
  const url = URL.parse(question.realm)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw refused(question, 'it is not an http or https URL')
  }
  if (url.username !== '' || url.password !== '') throw refused(question, 'it carries credentials of its own')
  const { from, endpoint, allowed } = question
  const trusted = isListed(allowed, url)
  if (url.protocol === 'http:' && from.protocol === 'https:' && endpoint.verify) {
    throw refused(question, 'it would leave HTTPS')
  }
  if (url.hostname === from.hostname || trusted) return { url, trusted }
  const problem = placeProblem(url, from) ?? (question.withCredentials ? siteProblem(url, from) : undefined)
  if (problem !== undefined) throw refused(question, problem)
  return { url, trusted }
}

/** `host`, `host:port` or `*.example.com`. */
function isListed(list: readonly string[], url: URL): boolean {
  return list.some((entry) => {
    const name = entry.toLowerCase()
    if (name.startsWith('*.')) return url.hostname.endsWith(name.slice(1))
    return name === url.host || name === url.hostname
  })
}

function placeProblem(url: URL, from: URL): string | undefined {
  const place = classOfHost(url.hostname)
  const origin = classOfHost(from.hostname)
  if (place === undefined) {
    const inner = !url.hostname.includes('.') && from.hostname.includes('.') && origin === undefined
    return inner ? 'it is a name of the inner network' : undefined
  }
  // An address may send us to an address like itself, a name to no address at all.
  if (origin === undefined || place === 'public' || !mayLeadTo(origin, place)) {
    return place === 'public' ? 'it is a bare address' : 'its address is one of an inner network'
  }
  return undefined
}

function siteProblem(url: URL, from: URL): string | undefined {
  const [here, there] = [classOfHost(from.hostname), classOfHost(url.hostname)]
  // Of one inner network, and no names to compare.
  if (here !== undefined && there !== undefined) return undefined
  return here === undefined && there === undefined && site(url.hostname) === site(from.hostname)
    ? undefined
    : 'it belongs to another site, and credentials would be sent there'
}

/** Under which strangers register names: one more label belongs to the site. Country domains are told by their form. */
const shared = [
  'amazonaws.com',
  'appspot.com',
  'azurecr.io',
  'azurecontainer.io',
  'azurewebsites.net',
  'cloudapp.azure.com',
  'cloudfront.net',
  'duckdns.org',
  'fly.dev',
  'github.io',
  'gitlab.io',
  'herokuapp.com',
  'netlify.app',
  'ngrok.app',
  'ngrok.io',
  'ngrok-free.app',
  'onrender.com',
  'pages.dev',
  'pkg.dev',
  'run.app',
  'scw.cloud',
  'trycloudflare.com',
  'vercel.app',
  'web.app',
  'workers.dev',
]

/** The registrable domain, as near as it can be told without a list of all public suffixes: rather too long than short. */
export function site(hostname: string): string {
  const labels = hostname.replace(/\.$/, '').split('.')
  const suffix = shared.find((name) => hostname === name || hostname.endsWith(`.${name}`))
  if (suffix !== undefined) return labels.slice(-(suffix.split('.').length + 1)).join('.')
  const [second = '', top = ''] = labels.slice(-2)
  const country = top.length === 2 && (second.length <= 3 || ['gouv', 'asso', 'info'].includes(second))
  return labels.slice(country && labels.length > 2 ? -3 : -2).join('.')
}

function refused({ realm, endpoint }: RealmQuestion, why: string): EngineError {
  const host = URL.parse(realm)?.host || 'HOST'
  return refusedTarget(
    `registry ${endpoint.registry} wants tokens fetched from "${quotable(realm)}": refused, ${why}; ` +
      `if you trust it, list "${host}" in "registry-token-hosts" and restart the engine`,
  )
}
