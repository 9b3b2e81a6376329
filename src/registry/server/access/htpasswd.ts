/**
 * Apache's htpasswd format, as far as a registry takes it: one `NAME:HASH` per line with bcrypt hashes, comments (`#`)
 * and empty lines. Everything else is refused by line, without showing what the line holds.
 */
import { tokenPrefix } from './access-tokens.ts'
import { wrongAccountName, wrongPassword } from './errors.ts'

export interface Account {
  readonly name: string
  /** `$2y$10$…` */
  readonly hash: string
}

export interface Htpasswd {
  readonly accounts: ReadonlyMap<string, Account>
  /** What is wrong, one text per refused line, such as `line 3 (bob): …`. */
  readonly refused: readonly string[]
}

/** Beyond this a single login takes many seconds. */
const MAX_COST = 16
const BCRYPT = /^\$2[aby]\$(?<cost>\d\d)\$[./A-Za-z0-9]{53}$/
const NAME = /^[^\s:/*"\p{Cc}]{1,128}$/u
const RESERVED = ['anonymous']

export function parseHtpasswd(text: string): Htpasswd {
  const accounts = new Map<string, Account>()
  const refused: string[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const content = line.trim()
    if (content === '' || content.startsWith('#')) continue
    const at = content.indexOf(':')
    const account = { name: content.slice(0, Math.max(at, 0)), hash: content.slice(at + 1) }
    const problem = at < 0 ? 'there is no colon after the name' : problemOf(account, accounts)
    if (problem === undefined) accounts.set(account.name, account)
    else refused.push(`line ${index + 1}${at > 0 ? ` (${shown(account.name)})` : ''}: ${problem}`)
  }
  return { accounts, refused }
}

function problemOf({ name, hash }: Account, others: ReadonlyMap<string, Account>): string | undefined {
  if (!isAccountName(name)) return 'this is not possible as the name of an account'
  if (others.has(name)) return 'the account stands on an earlier line already'
  const cost = BCRYPT.exec(hash)?.groups?.['cost']
  if (cost === undefined) {
    return `${kindOf(hash)} is not accepted, only bcrypt; make it anew with "berth registry user passwd" or "htpasswd -B"`
  }
  if (Number(cost) < 4) return `bcrypt has no cost ${cost}`
  return Number(cost) > MAX_COST
    ? `with cost ${cost} a login would take minutes; ${MAX_COST} is the most`
    : undefined
}

function kindOf(hash: string): string {
  if (hash.startsWith('$apr1$') || hash.startsWith('$1$')) return 'MD5'
  if (hash.startsWith('{SHA}')) return 'SHA-1'
  if (hash.startsWith('$5$')) return 'SHA-256 crypt'
  if (hash.startsWith('$6$')) return 'SHA-512 crypt'
  if (hash.startsWith('$2')) return 'a damaged or old bcrypt entry'
  return 'crypt or plain text'
}

function shown(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 64)
}

function isAccountName(name: string): boolean {
  return NAME.test(name) && !name.startsWith('#') && !RESERVED.includes(name)
}

/** Whether there is a line of this account, with whatever hash. */
export function hasAccount(text: string, name: string): boolean {
  return name !== '' && linesOf(text).some((line) => isOf(line, name))
}

/** The text with the account on a line of its own: in the place of the old one, or at the end. Other lines stay. */
export function withAccount(text: string, { name, hash }: Account): string {
  const lines = linesOf(text)
  const entry = `${name}:${hash}`
  const at = lines.findIndex((line) => isOf(line, name))
  if (at < 0) return [...lines, entry, ''].join('\n')
  return [...lines.with(at, entry), ''].join('\n')
}

export function withoutAccount(text: string, name: string): string {
  return [...linesOf(text).filter((line) => !isOf(line, name)), ''].join('\n')
}

function isOf(line: string, name: string): boolean {
  return line.trim().startsWith(`${name}:`)
}

function linesOf(text: string): string[] {
  const lines = text.split('\n')
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines
}

/** Throws `invalid_argument` that says what is possible. */
export function checkAccountName(name: string): void {
  if (isAccountName(name)) return
  throw wrongAccountName(
    `"${shown(name)}" cannot be the name of an account: 1 to 128 characters without spaces, quotes, ":", "/" and "*", ` +
      'and not "anonymous"',
  )
}

/** bcrypt looks at 72 bytes and no further. Throws `invalid_argument`. */
export function checkPassword(password: string): void {
  const length = Buffer.byteLength(password)
  if (length === 0) throw wrongPassword('the password is empty')
  if (length > 72) throw wrongPassword('the password is longer than 72 bytes, of which bcrypt sees no more')
  if (password.startsWith(tokenPrefix)) {
    throw wrongPassword(`the password begins with ${tokenPrefix}, as access tokens do`)
  }
  if (/\p{Cc}/u.test(password)) throw wrongPassword('the password has control characters')
}
