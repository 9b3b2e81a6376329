/** What a token is asked for: `type:name:action,action`. distribution "Token Scope Documentation". */

export function repositoryScope(path: string, ...actions: readonly ('pull' | 'push' | 'delete')[]): string {
  return `repository:${path}:${actions.join(',')}`
}

/** One scope per resource, with all actions that are named anywhere. */
export function uniteScopes(scopes: readonly string[]): readonly string[] {
  const actions = new Map<string, Set<string>>()
  for (const scope of scopes.flatMap((text) => text.split(' ')).filter((text) => text !== '')) {
    const colon = scope.lastIndexOf(':')
    const resource = colon === -1 ? scope : scope.slice(0, colon)
    const known = actions.get(resource) ?? new Set<string>()
    for (const action of colon === -1 ? [] : scope.slice(colon + 1).split(',')) known.add(action)
    actions.set(resource, known)
  }
  return [...actions].map(([resource, set]) =>
    set.size === 0 ? resource : `${resource}:${[...set].toSorted().join(',')}`,
  )
}
