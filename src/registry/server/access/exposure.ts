import { isIP } from 'node:net'
import { tooExposed } from './errors.ts'

export interface Exposure {
  /** Where the registry is to listen: an address or a name; empty is every address. */
  readonly host: string
  readonly hasTls: boolean
  readonly hasAccounts: boolean
  /** `--insecure-open`: the operator knows. */
  readonly insecureOpen: boolean
}

/**
 * Refuses a registry that strangers could write to, or whose passwords they could read. Throws `invalid_argument` that
 * says what is missing.
 */
export function checkExposure({ host, hasTls, hasAccounts, insecureOpen }: Exposure): void {
  if (insecureOpen || isLoopbackHost(host) || (hasTls && hasAccounts)) return
  const missing = [
    ...(hasAccounts ? [] : ['accounts (--htpasswd FILE)']),
    ...(hasTls ? [] : ['TLS (--tls-cert FILE --tls-key FILE)']),
  ]
  const danger = hasAccounts ? 'passwords would cross the network in the clear' : 'everybody could push to it'
  throw tooExposed(
    `refusing to listen on ${host === '' ? 'every address' : host} without ${missing.join(' and ')}: ${danger}. ` +
      'Listen on 127.0.0.1, add what is missing, or say --insecure-open if a proxy or firewall takes care of it',
  )
}

/** Reached from this host only. */
export function isLoopbackHost(host: string): boolean {
  const plain = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return plain === 'localhost' || plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'))
}
