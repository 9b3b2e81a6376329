import type { Action, Resource } from '../access.ts'

/** What a route of a repository does with it. */
export function repository(...actions: readonly Action[]): (params: { readonly name: string }) => Resource {
  return ({ name }) => ({ kind: 'repository', name, actions })
}
