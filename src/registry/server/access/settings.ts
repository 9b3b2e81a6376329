import { Section } from '../settings/section.ts'
import { wrongRule } from './errors.ts'
import { checkPattern } from './pattern.ts'
import { allActions } from './scope.ts'

/** One line of the rules: these accounts may do this in the repositories that the pattern covers. */
export interface AccessRule {
  /** settings/pattern.ts: `team/*` is one component below `team`, `team/**` everything below it. */
  readonly repository: string
  /** Names of accounts; `*` is every account. */
  readonly users: readonly string[]
  /** `pull`, `push`, `delete`, or `*` for all three. */
  readonly actions: readonly string[]
}

/**
 * Section `access` of the configuration. Without `rules` every account may do everything in every repository; with them
 * (an empty list is enough) an account has its own namespace, `NAME/…`, and what rules add.
 */
export interface AccessSettings {
  /** Accounts that may do everything, and change the registry's settings. */
  readonly admins?: readonly string[] | undefined
  readonly rules?: readonly AccessRule[] | undefined
  /** Patterns of repositories that may be pulled without logging in. */
  readonly anonymous?: readonly string[] | undefined
}

/** Reads the section `access`. Throws `invalid_argument` that names the key. */
export function readAccessSettings(value: unknown): AccessSettings {
  const section = new Section(value, 'access')
  const settings: AccessSettings = {
    admins: section.texts('admins'),
    anonymous: section.texts('anonymous'),
    rules: section.list('rules', readRule),
  }
  section.end()
  checkAccessSettings(settings)
  return settings
}

function readRule(section: Section): AccessRule {
  return {
    repository: section.requiredText('repository'),
    users: section.texts('users') ?? [],
    actions: section.texts('actions') ?? ['pull'],
  }
}

/** Throws `invalid_argument` that names the field. */
export function checkAccessSettings(settings: AccessSettings): void {
  settings.rules?.forEach((rule, index) => {
    const field = `access.rules[${index}]`
    checkPattern(rule.repository, `${field}.repository`)
    if (rule.users.length === 0) throw wrong(`${field}.users`, 'names nobody')
    if (rule.actions.length === 0) throw wrong(`${field}.actions`, 'is empty')
    const known: readonly string[] = [...allActions, '*']
    const unknown = rule.actions.find((action) => !known.includes(action))
    if (unknown !== undefined)
      throw wrong(`${field}.actions`, `"${unknown}" is none of pull, push, delete and *`)
  })
  settings.anonymous?.forEach((pattern, index) => checkPattern(pattern, `access.anonymous[${index}]`))
}

function wrong(field: string, why: string): Error {
  return wrongRule(`${field} ${why}`)
}

/** Rights without accounts would be none. Throws `invalid_argument`. */
export function checkRightsNeedAccounts(settings: AccessSettings, hasAccounts: boolean): void {
  if (hasAccounts || Object.values(settings).every((value) => value === undefined)) return
  throw wrongRule('access: rights need accounts (--htpasswd FILE); without, everybody may do everything')
}
