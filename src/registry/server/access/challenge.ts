import type { AccessRequest, Resource } from '../access.ts'
import { wrongHost } from './errors.ts'

/** What follows a host in `Host`; quotes, spaces and commas would end the value in a challenge. */
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

/** Where tokens are to be had, as the client addresses this registry. */
function realmOf(request: AccessRequest): string {
  if (!HOST.test(request.host)) throw wrongHost('the header Host names no host')
  return `${request.secure ? 'https' : 'http'}://${request.host}/token`
}

/** The value of `WWW-Authenticate`. distribution-spec "Token Authentication", RFC 6750 section 3. */
export function bearerChallenge(
  request: AccessRequest,
  service: string,
  resource: Resource,
  error?: 'invalid_token' | 'insufficient_scope',
): string {
  const scope = scopeOf(resource)
  return [
    `Bearer realm="${realmOf(request)}"`,
    `service="${service}"`,
    ...(scope === undefined ? [] : [`scope="${scope}"`]),
    ...(error === undefined ? [] : [`error="${error}"`]),
  ].join(',')
}

/** Of the token endpoint itself. */
export function basicChallenge(service: string): string {
  return `Basic realm="${service}"`
}

/** What a token must cover for `resource`. Clients that push read as well, with the same token. */
function scopeOf(resource: Resource): string | undefined {
  switch (resource.kind) {
    case 'base':
      return undefined
    case 'catalog':
      return 'registry:catalog:*'
    case 'admin':
      return 'registry:admin:*'
    case 'repository': {
      const { actions } = resource
      const asked = actions.includes('push') && !actions.includes('pull') ? ['pull', ...actions] : actions
      return `repository:${resource.name}:${asked.join(',')}`
    }
  }
}
