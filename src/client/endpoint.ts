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

/** PEM texts; `verify` false accepts any server certificate. */
export interface TlsMaterial {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly verify: boolean
}

/** Parses `unix:///path`, `tcp://host[:port]`, `http://…` and `https://…`; a TCP port defaults to 2375, or 2376 with TLS. */
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
    case 'npipe':
    case 'fd':
      throw invalid(address, `${scheme}:// is not supported yet; use unix:// or tcp://`)
    default:
      throw invalid(address, 'want unix://PATH or tcp://HOST:PORT')
  }
}

/** The address as a person would type it. */
export function addressOf(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix://${endpoint.path}`
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
  return `tcp://${host}:${endpoint.port}`
}

function invalid(address: string, why: string): EngineError {
  return new EngineError('invalid_argument', `unable to parse docker host \`${address}\`: ${why}`, {
    code: 'HOST_INVALID',
    details: { address },
  })
}
