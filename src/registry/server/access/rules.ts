import type { Action } from '../access.ts'
import { covers } from './pattern.ts'
import { actionsOf, allActions } from './scope.ts'
import { checkAccessSettings, type AccessRule, type AccessSettings } from './settings.ts'

/** Who may do what, by name; tokens can only take away from it. */
export class Rules {
  readonly #admins: ReadonlySet<string>
  readonly #rules: readonly AccessRule[] | undefined
  readonly #anonymous: readonly string[]

  /** Throws `invalid_argument` that names the field. */
  constructor(settings: AccessSettings = {}) {
    checkAccessSettings(settings)
    this.#admins = new Set(settings.admins)
    this.#rules = settings.rules
    this.#anonymous = settings.anonymous ?? []
  }

  /** Something may be pulled without logging in. */
  get hasAnonymous(): boolean {
    return this.#anonymous.length > 0
  }

  isAdmin(account: string): boolean {
    return this.#admins.has(account)
  }

  /** What `account` may do in `repository`; `undefined` is whoever has not logged in. */
  actions(account: string | undefined, repository: string): readonly Action[] {
    const open = this.#anonymous.some((pattern) => covers(pattern, repository)) ? ['pull'] : []
    if (account === undefined) return actionsOf(open)
    if (this.#rules === undefined || this.isAdmin(account)) return allActions
    if (repository.startsWith(`${account}/`)) return allActions
    const granted = this.#rules
      .filter(({ users }) => users.includes(account) || users.includes('*'))
      .filter((rule) => covers(rule.repository, repository))
      .flatMap(({ actions }) => actions)
    return actionsOf([...open, ...granted])
  }
}
