import type { AccessRequest } from '../access.ts'
import type { Authentication } from './authentication.ts'
import { parseAuthorization } from './authorization.ts'
import type { AccessEntry, BearerTokens } from './bearer-tokens.ts'
import { basicChallenge } from './challenge.ts'
import { loginFailed, tokenInvalid, wrongTokenRequest } from './errors.ts'
import { anonymous, isAdmin, mayList, permitted, type Identity } from './identity.ts'
import type { Rules } from './rules.ts'
import { actionsOf, parseScopes, type Scope } from './scope.ts'

export interface TokenEndpointDeps {
  readonly rules: Rules
  readonly authentication: Authentication
  readonly bearerTokens: BearerTokens
  readonly service: string
}

/** What clients get: the union of Docker's and OAuth2's fields. */
export interface TokenReply {
  readonly token: string
  readonly access_token: string
  /** Seconds. */
  readonly expires_in: number
  readonly issued_at: string
  /** What was granted. */
  readonly scope: string
  readonly refresh_token?: string
}

interface Ask {
  readonly identity: Identity
  readonly scopes: readonly Scope[]
  /** Undefined: no refresh token is wanted. */
  readonly keep: { readonly client: string; readonly address: string } | undefined
}

/** More than any client asks for at once. */
const MAX_SCOPES = 100

/**
 * Exchanges a password, an access token or a refresh token for a short-lived bearer token. Grants what is allowed of the
 * scopes, be it nothing. distribution's "Token Authentication Specification" (GET) and "OAuth2 Token Authentication" (POST).
 */
export class TokenEndpoint {
  readonly #deps: TokenEndpointDeps

  constructor(deps: TokenEndpointDeps) {
    this.#deps = deps
  }

  /** GET: credentials as Basic, or none. Rejects with `unauthenticated` or `resource_exhausted`. */
  async get(request: AccessRequest, query: URLSearchParams): Promise<TokenReply> {
    this.#checkService(query)
    const presented = parseAuthorization(request.authorization)
    const address = request.remoteAddress
    let identity: Identity = anonymous
    if (presented.scheme === 'basic')
      identity = await this.#login(presented.name, presented.password, address)
    else if (presented.scheme !== 'none') throw loginFailed(basicChallenge(this.#deps.service))
    const keeps = query.get('offline_token') === 'true' && identity !== anonymous
    const client = query.get('client_id') ?? ''
    return this.#reply({ identity, scopes: scopesOf(query), keep: keeps ? { client, address } : undefined })
  }

  /** POST: the credentials stand in the form. Errors as get(). */
  async post(request: AccessRequest, form: URLSearchParams): Promise<TokenReply> {
    this.#checkService(form)
    const scopes = scopesOf(form)
    const address = request.remoteAddress
    switch (form.get('grant_type')) {
      case 'password': {
        const identity = await this.#login(form.get('username') ?? '', form.get('password') ?? '', address)
        const client = form.get('client_id') ?? ''
        const keep = form.get('access_type') === 'offline' ? { client, address } : undefined
        return this.#reply({ identity, scopes, keep })
      }
      case 'refresh_token': {
        const secret = form.get('refresh_token') ?? ''
        const identity = await this.#deps.authentication.byLogin(secret)
        if (identity === undefined) throw tokenInvalid(basicChallenge(this.#deps.service))
        return { ...(await this.#reply({ identity, scopes, keep: undefined })), refresh_token: secret }
      }
      default:
        throw wrongTokenRequest('grant_type must be password or refresh_token')
    }
  }

  async #login(name: string, password: string, remoteAddress: string): Promise<Identity> {
    const identity = await this.#deps.authentication.login({ name, password, remoteAddress })
    if (identity === undefined) throw loginFailed(basicChallenge(this.#deps.service))
    return identity
  }

  async #reply({ identity, scopes, keep }: Ask): Promise<TokenReply> {
    const access = scopes.flatMap((scope) => this.#grant(identity, scope) ?? [])
    const { token, expiresIn, issuedAt } = await this.#deps.bearerTokens.issue({
      subject: identity.kind === 'anonymous' ? '' : identity.name,
      accessToken: identity.token?.id,
      access,
    })
    const refreshToken = keep === undefined ? undefined : await this.#deps.authentication.keep(identity, keep)
    return {
      token,
      access_token: token,
      expires_in: expiresIn,
      issued_at: issuedAt.toISOString(),
      scope: access.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' '),
      ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    }
  }

  #grant(identity: Identity, { type, class: kind, name, actions }: Scope): AccessEntry | undefined {
    const { rules } = this.#deps
    if (type === 'registry') {
      const granted =
        (name === 'catalog' && mayList(rules, identity)) || (name === 'admin' && isAdmin(rules, identity))
      return granted ? { type, name, actions: ['*'] } : undefined
    }
    if (type !== 'repository') return undefined
    const allowed = permitted(rules, identity, name)
    const granted = actionsOf(actions).filter((action) => allowed.includes(action))
    if (granted.length === 0) return undefined
    return { type, ...(kind === undefined ? {} : { class: kind }), name, actions: granted }
  }

  /** A client that was sent here by another registry's challenge is told so. */
  #checkService(parameters: URLSearchParams): void {
    const { service } = this.#deps
    const asked = parameters.get('service')
    if (asked === null || asked === '' || asked === service) return
    throw wrongTokenRequest(`this registry issues tokens for the service ${service} only`)
  }
}

function scopesOf(parameters: URLSearchParams): readonly Scope[] {
  const scopes = parseScopes(parameters.getAll('scope'))
  if (scopes.length <= MAX_SCOPES) return scopes
  throw wrongTokenRequest(`no more than ${MAX_SCOPES} scopes at once`)
}
