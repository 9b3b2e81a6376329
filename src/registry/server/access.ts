/** Who may do what on a registry: asked by every route before anything else happens. */

export type Action = 'pull' | 'push' | 'delete'

/** What a request is about to touch. */
export type Resource =
  | { readonly kind: 'base' }
  | { readonly kind: 'repository'; readonly name: string; readonly actions: readonly Action[] }
  | { readonly kind: 'catalog' }
  /** Settings, tokens, garbage collection: the JSON API's privileged part. */
  | { readonly kind: 'admin' }

export interface Caller {
  /** `anonymous`, or the account. */
  readonly name: string
}

export interface AccessRequest {
  readonly authorization: string | undefined
  /** The Host header, for the address of the token endpoint. */
  readonly host: string
  readonly secure: boolean
  readonly remoteAddress: string
}

/**
 * `authorize` returns the caller, or rejects: `unauthenticated` (whose `details.challenge` is the value for
 * `WWW-Authenticate`) or `permission_denied`. `mayPull` is for lists, which show only what the caller may pull.
 */
export interface AccessControl {
  authorize(request: AccessRequest, resource: Resource): Promise<Caller>
  mayPull(caller: Caller, repository: string): boolean
}

/** For a registry without accounts: everybody may do everything. */
export const openAccess: AccessControl = {
  authorize: () => Promise.resolve({ name: 'anonymous' }),
  mayPull: () => true,
}
