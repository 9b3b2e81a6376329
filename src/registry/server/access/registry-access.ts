import type { AccessControl, AccessRequest, Caller, Resource } from '../access.ts'
import { tokenPrefix } from './access-tokens.ts'
import type { Authentication } from './authentication.ts'
import { parseAuthorization } from './authorization.ts'
import type { AccessEntry, BearerClaims, BearerTokens } from './bearer-tokens.ts'
import { bearerChallenge } from './challenge.ts'
import { accessDenied, loginFailed, loginRequired, tokenInvalid, tokenTooSmall } from './errors.ts'
import { anonymous, isAdmin, mayList, permitted, type Identity } from './identity.ts'
import type { Rules } from './rules.ts'
import { actionsOf } from './scope.ts'

export interface RegistryAccessDeps {
  readonly rules: Rules
  readonly authentication: Authentication
  readonly bearerTokens: BearerTokens
  readonly service: string
}

/** A caller, and what its bearer token covers; undefined where it showed none. */
interface Shown {
  readonly identity: Identity
  readonly access?: readonly AccessEntry[] | undefined
}

/** Accounts, tokens and rules, in front of a registry. What a bearer token covers is permitted only while rules say so. */
export class RegistryAccess implements AccessControl {
  readonly #deps: RegistryAccessDeps
  readonly #shown = new WeakMap<Caller, Shown>()

  constructor(deps: RegistryAccessDeps) {
    this.#deps = deps
  }

  async authorize(request: AccessRequest, resource: Resource): Promise<Caller> {
    const { rules, service } = this.#deps
    const { identity, access } = await this.#identify(request, resource)
    if (access !== undefined && !isCovered(access, resource)) {
      throw tokenTooSmall(bearerChallenge(request, service, resource, 'insufficient_scope'))
    }
    const isStranger = identity.kind === 'anonymous' && access === undefined
    if (isStranger && resource.kind === 'base')
      throw loginRequired(bearerChallenge(request, service, resource))
    if (!isPermitted(rules, identity, resource)) {
      throw isStranger
        ? loginRequired(bearerChallenge(request, service, resource))
        : accessDenied(identity.name)
    }
    const caller: Caller = { name: identity.name }
    // A token that covers the catalogue lists all that its account may pull; any other stays what it is.
    this.#shown.set(caller, resource.kind === 'catalog' ? { identity } : { identity, access })
    return caller
  }

  mayPull(caller: Caller, repository: string): boolean {
    const { identity, access } = this.#shown.get(caller) ?? { identity: anonymous }
    const pull = { kind: 'repository', name: repository, actions: ['pull'] } as const
    return isPermitted(this.#deps.rules, identity, pull) && (access === undefined || isCovered(access, pull))
  }

  async #identify(request: AccessRequest, resource: Resource): Promise<Shown> {
    const { authentication, service } = this.#deps
    const presented = parseAuthorization(request.authorization)
    switch (presented.scheme) {
      case 'none':
        return { identity: anonymous }
      case 'basic': {
        const { remoteAddress } = request
        const identity = await authentication.login({ ...presented, remoteAddress })
        if (identity === undefined) throw loginFailed(bearerChallenge(request, service, resource))
        return { identity }
      }
      case 'bearer':
        return this.#byBearer(request, resource, presented.token)
      case 'unknown':
        throw loginRequired(bearerChallenge(request, service, resource))
    }
  }

  async #byBearer(request: AccessRequest, resource: Resource, token: string): Promise<Shown> {
    const { authentication, bearerTokens, service } = this.#deps
    const refuse = (cause?: unknown): Error =>
      tokenInvalid(bearerChallenge(request, service, resource, 'invalid_token'), cause)
    if (token.startsWith(tokenPrefix)) {
      const identity = await authentication.byAccessToken(token)
      if (identity === undefined) throw refuse()
      return { identity }
    }
    let claims: BearerClaims
    try {
      claims = await bearerTokens.verify(token)
    } catch (error) {
      throw refuse(error)
    }
    const identity = await authentication.byClaims(claims)
    if (identity === undefined) throw refuse()
    return { identity, access: claims.access }
  }
}

function isPermitted(rules: Rules, identity: Identity, resource: Resource): boolean {
  switch (resource.kind) {
    case 'base':
      return true
    case 'catalog':
      return mayList(rules, identity)
    case 'admin':
      return isAdmin(rules, identity)
    case 'repository': {
      const actions = permitted(rules, identity, resource.name)
      return resource.actions.every((action) => actions.includes(action))
    }
  }
}

function isCovered(access: readonly AccessEntry[], resource: Resource): boolean {
  switch (resource.kind) {
    case 'base':
      return true
    case 'catalog':
    case 'admin':
      return access.some(({ type, name }) => type === 'registry' && name === resource.kind)
    case 'repository': {
      const entries = access.filter(({ type, name }) => type === 'repository' && name === resource.name)
      const actions = actionsOf(entries.flatMap((entry) => entry.actions))
      return resource.actions.every((action) => actions.includes(action))
    }
  }
}
