/**
 * Scopes of registry tokens: what somebody asks for, or is given.
 *
 *     repository:team/app:pull,push      repository(plugin):team/app:pull      registry:catalog:*
 *
 * Several are separated by spaces. Names may have a host (`localhost:5000/app`), so the actions begin after the last
 * colon. Distribution's "Token Scope Documentation".
 */
import type { Action } from '../access.ts'

export interface Scope {
  /** `repository`, `registry`. */
  readonly type: string
  /** `plugin` of `repository(plugin)`; a remark of the client without consequences. */
  readonly class: string | undefined
  readonly name: string
  /** As written, without repetitions: `pull`, `push`, `delete`, `*`, or something unknown. */
  readonly actions: readonly string[]
}

const SCOPE =
  /^(?<type>[a-z0-9]+)(?:\((?<class>[a-z0-9]+)\))?:(?<name>[^\s"]+):(?<actions>[a-z*]+(?:,[a-z*]+)*)$/

/** Longer than any scope about a valid name. */
const MAX_LENGTH = 1024

/** `undefined` for what does not follow the grammar. */
export function parseScope(text: string): Scope | undefined {
  const groups = text.length > MAX_LENGTH ? undefined : SCOPE.exec(text)?.groups
  if (groups === undefined) return undefined
  const { type = '', name = '', actions = '' } = groups
  return { type, class: groups['class'], name, actions: [...new Set(actions.split(','))] }
}

/** Scopes of a request, where each text may hold several; what is not understood asks for nothing. */
export function parseScopes(texts: readonly string[]): readonly Scope[] {
  return texts
    .flatMap((text) => text.split(' '))
    .flatMap((text) => (text === '' ? [] : (parseScope(text) ?? [])))
}

export function formatScope(scope: Scope): string {
  const type = scope.class === undefined ? scope.type : `${scope.type}(${scope.class})`
  return `${type}:${scope.name}:${scope.actions.join(',')}`
}

export const allActions: readonly Action[] = ['pull', 'push', 'delete']

/** The actions on repositories that a list names; `*` is all of them. */
export function actionsOf(names: readonly string[]): readonly Action[] {
  return names.includes('*') ? allActions : allActions.filter((action) => names.includes(action))
}
