import type { Action, Caller } from '../access.ts'
import { covers } from './pattern.ts'
import type { Rules } from './rules.ts'
import { actionsOf, type Scope } from './scope.ts'

/** Who a request comes from. A token narrows what its account may do; without an account its scopes are all it has. */
export interface Identity extends Caller {
  readonly kind: 'anonymous' | 'account' | 'deploy'
  /** The access token that was used. */
  readonly token?: { readonly id: string; readonly scopes: readonly Scope[] } | undefined
}

export const anonymous: Identity = { name: 'anonymous', kind: 'anonymous' }

/** What `identity` may do in `repository` now. */
export function permitted(rules: Rules, identity: Identity, repository: string): readonly Action[] {
  const { kind, token } = identity
  if (kind === 'anonymous') return rules.actions(undefined, repository)
  const byToken =
    token === undefined || token.scopes.length === 0 ? undefined : scoped(token.scopes, repository)
  if (kind === 'deploy') return [...new Set([...rules.actions(undefined, repository), ...(byToken ?? [])])]
  const byRules = rules.actions(identity.name, repository)
  return byToken === undefined ? byRules : byRules.filter((action) => byToken.includes(action))
}

/** A token with scopes is for repositories only. */
export function isAdmin(rules: Rules, identity: Identity): boolean {
  if (identity.kind !== 'account' || (identity.token?.scopes.length ?? 0) > 0) return false
  return rules.isAdmin(identity.name)
}

/** Lists show only what the caller may pull, so whoever may pull something may ask. */
export function mayList(rules: Rules, identity: Identity): boolean {
  return identity.kind !== 'anonymous' || rules.hasAnonymous
}

function scoped(scopes: readonly Scope[], repository: string): readonly Action[] {
  const matching = scopes.filter(({ type, name }) => type === 'repository' && covers(name, repository))
  return actionsOf(matching.flatMap(({ actions }) => actions))
}
