import type { Secrets } from '../solve/ports.ts'

/** Value of the Authorization header for a server that a build fetches from; undefined: it is asked without. */
export type Authorizations = (kind: 'git' | 'http', address: string) => Promise<string | undefined>

/**
 * Credentials among the secrets of a build, by the names that BuildKit gives them: `GIT_AUTH_HEADER` and `GIT_AUTH_TOKEN`, each with
 * `.HOST` for one server before the one for all, and `HTTP_AUTH_HEADER_HOST` and `HTTP_AUTH_TOKEN_HOST`.
 */
export function authorizationsFrom(secrets: Pick<Secrets, 'secret'>): Authorizations {
  return async (kind, address) => {
    const url = URL.parse(address)
    if (url === null || !/^https?:$/.test(url.protocol)) return undefined
    const hosts = url.host === url.hostname ? [url.host] : [url.host, url.hostname]
    const endings =
      kind === 'git' ? [...hosts.map((host) => `.${host}`), ''] : hosts.map((host) => `_${host}`)
    const prefix = kind === 'git' ? 'GIT_AUTH' : 'HTTP_AUTH'
    for (const ending of endings) {
      const header = await textOf(secrets, `${prefix}_HEADER${ending}`)
      if (header !== undefined) return header
      const token = await textOf(secrets, `${prefix}_TOKEN${ending}`)
      if (token !== undefined) return kind === 'http' ? `Bearer ${token}` : basic('x-access-token', token)
    }
    return undefined
  }
}

/** One line: files end with a line feed that is no part of what they say. */
async function textOf(secrets: Pick<Secrets, 'secret'>, id: string): Promise<string | undefined> {
  const value = await secrets.secret(id)
  const text = value === undefined ? '' : Buffer.from(value).toString('utf8').trim()
  // Nothing but one header can come of it.
  return /^[\x20-\x7e]+$/.test(text) ? text : undefined
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}
