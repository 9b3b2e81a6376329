import type { AccessRequest } from '../access.ts'
import { readWhole } from '../http/body.ts'
import { json, type Reply } from '../http/reply.ts'
import { route, type RegistryRequest, type Route } from '../http/route.ts'
import { wrongTokenRequest } from './errors.ts'
import type { TokenEndpoint } from './token-endpoint.ts'

/** Bytes of a form; a hundred long scopes fit. */
const MAX_FORM = 64 * 1024

/** The token endpoint, for a registry with accounts. */
export function tokenRoutes(tokens: TokenEndpoint): readonly Route[] {
  return [
    route({
      operation: 'TokenGet',
      method: 'GET',
      path: '/token',
      resource: 'open',
      handle: async (request) => reply(await tokens.get(accessRequestOf(request), request.query)),
    }),
    route({
      operation: 'TokenPost',
      method: 'POST',
      path: '/token',
      resource: 'open',
      async handle(request) {
        const { 'content-type': type = '' } = request.headers
        if (!/^application\/x-www-form-urlencoded\b/i.test(type)) {
          throw wrongTokenRequest('the body must be a form (application/x-www-form-urlencoded)')
        }
        const form = new URLSearchParams((await readWhole(request.body, MAX_FORM)).toString('utf8'))
        return reply(await tokens.post(accessRequestOf(request), form))
      },
    }),
  ]
}

/** Secrets must not stay in a cache on the way. RFC 6749 section 5.1. */
function reply(body: unknown): Reply {
  return json(body, { 'Cache-Control': 'no-store', Pragma: 'no-cache' })
}

function accessRequestOf({ headers, host, secure, remoteAddress }: RegistryRequest): AccessRequest {
  return { authorization: headers.authorization, host, secure, remoteAddress }
}
