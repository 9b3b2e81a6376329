import type { AuthConfig } from './generated/types.ts'

/** What `X-Registry-Auth` may hold; the keys are lower case on the wire. */
export type RegistryAuth = AuthConfig & {
  readonly auth?: string
  readonly identitytoken?: string
  readonly registrytoken?: string
}

/** Under which key Docker keeps the credentials of Docker Hub. */
export const HUB_AUTH_KEY = 'https://index.docker.io/v1/'

const keys = [
  'username',
  'password',
  'auth',
  'serveraddress',
  'identitytoken',
  'registrytoken',
  'email',
] as const

/**
 * Credentials from `X-Registry-Auth`: base64 in either alphabet, padded or not. Whatever cannot be read
 * means "anonymous", as in Docker; it is never an error.
 */
export function parseRegistryAuth(header: string | undefined): RegistryAuth | undefined {
  return authOf(decode(header))
}

/**
 * Credentials for several registries from `X-Registry-Config`, by the keys of Docker's `config.json`: a host with its
 * port, or HUB_AUTH_KEY. As lenient as parseRegistryAuth().
 */
export function parseRegistryConfig(header: string | undefined): ReadonlyMap<string, RegistryAuth> {
  const parsed = decode(header)
  if (typeof parsed !== 'object' || parsed === null) return new Map()
  return new Map(
    Object.entries(parsed).flatMap(([key, value]) => {
      const auth = authOf(value)
      return auth === undefined ? [] : [[key, auth] as const]
    }),
  )
}

function authOf(parsed: unknown): RegistryAuth | undefined {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined
  const lower = new Map(Object.entries(parsed).map(([key, value]) => [key.toLowerCase(), value as unknown]))
  const known = keys.flatMap((key) => {
    const value = lower.get(key)
    return typeof value === 'string' && value !== '' ? [[key, value] as const] : []
  })
  return known.length === 0 ? undefined : Object.fromEntries(known)
}

function decode(header: string | undefined): unknown {
  if (header === undefined || header === '') return undefined
  try {
    // Node's `base64` reads both alphabets and does not ask for padding.
    return JSON.parse(Buffer.from(header, 'base64').toString('utf8'))
  } catch {
    return undefined // unreadable credentials are anonymous ones
  }
}
