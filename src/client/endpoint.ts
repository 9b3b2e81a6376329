import { EngineError } from '#base/errors.ts'

/** Where an engine listens. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | {
      readonly kind: 'tcp'
      readonly host: string
      readonly port: number
      readonly tls?: TlsMaterial | undefined
    }
  | SshEndpoint

/** The engine of another host, reached by `ssh`; without `path`, at its own default address. */
export interface SshEndpoint {
  readonly kind: 'ssh'
  readonly user?: string | undefined
  readonly host: string
  readonly port?: number | undefined
  readonly path?: string | undefined
}

/** PEM texts; `verify` false accepts any server certificate. */
export interface TlsMaterial {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly verify: boolean
}

/**
 * Parses `unix:///path`, `tcp://host[:port]`, `http://…`, `https://…` and `ssh://[user@]host[:port][/path]`; a TCP port
 * defaults to 2375, or 2376 with TLS.
 */
export function parseEndpoint(address: string, tls?: TlsMaterial): Endpoint {
  const [, scheme = '', rest = ''] = /^([a-z]+):\/\/(.*)$/.exec(address) ?? []
  switch (scheme) {
    case 'unix':
      if (rest === '') throw invalid(address, 'the path of the socket is missing')
      return { kind: 'unix', path: rest.startsWith('/') ? rest : `/${rest}` }
    case 'tcp':
    case 'http':
    case 'https': {
      const secure = tls ?? (scheme === 'https' ? { verify: true } : undefined)
      const url = URL.parse(`http://${rest}`)
      if (url === null || url.hostname === '') throw invalid(address, 'want HOST or HOST:PORT')
      const port = url.port === '' ? (secure === undefined ? 2375 : 2376) : Number(url.port)
      return { kind: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port, tls: secure }
    }
    case 'ssh':
      return parseSsh(address)
    case 'npipe':
    case 'fd':
      throw invalid(address, `${scheme}:// is not for this system; use unix://, tcp:// or ssh://`)
    default:
      throw invalid(address, 'want unix://PATH, tcp://HOST:PORT or ssh://[USER@]HOST')
  }
}

function parseSsh(address: string): SshEndpoint {
  const url = URL.parse(address)
  if (url === null || url.hostname === '') throw invalid(address, 'want ssh://[USER@]HOST[:PORT]')
  if (url.password !== '') throw invalid(address, 'a password cannot be part of it; use a key or an agent')
  if (url.search !== '' || url.hash !== '') throw invalid(address, 'nothing may follow the path')
  const host = decodeURIComponent(url.hostname).replace(/^\[|\]$/g, '')
  const user = decodeURIComponent(url.username)
  // Otherwise ssh would take them for its own options.
  if (host.startsWith('-') || user.startsWith('-')) throw invalid(address, 'names may not begin with "-"')
  const path = decodeURIComponent(url.pathname)
  return {
    kind: 'ssh',
    host,
    user: user === '' ? undefined : user,
    port: url.port === '' ? undefined : Number(url.port),
    path: path === '' || path === '/' ? undefined : path,
  }
}

/** The address as a person would type it. */
export function addressOf(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix://${endpoint.path}`
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
  if (endpoint.kind === 'tcp') return `tcp://${host}:${endpoint.port}`
  const user = endpoint.user === undefined ? '' : `${endpoint.user}@`
  const port = endpoint.port === undefined ? '' : `:${endpoint.port}`
  return `ssh://${user}${host}${port}${endpoint.path ?? ''}`
}

function invalid(address: string, why: string): EngineError {
  return new EngineError('invalid_argument', `unable to parse docker host \`${address}\`: ${why}`, {
    code: 'HOST_INVALID',
    details: { address },
  })
}
