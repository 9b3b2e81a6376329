import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { EngineError } from '#base/errors.ts'
import { isUniqueViolation, type Database } from '#store/db.ts'
import { wrongTokenName, wrongTokenScope } from './errors.ts'
import { checkPattern } from './pattern.ts'
import { allActions, formatScope, parseScope, type Scope } from './scope.ts'

/** A token that stands in for a password. */
export interface AccessToken {
  readonly id: string
  /** Empty: a deploy token, which belongs to nobody and may do what its scopes say. */
  readonly account: string
  readonly name: string
  /** Empty: whatever the account may do. Names are patterns. */
  readonly scopes: readonly Scope[]
  /** Milliseconds since the epoch, as the following. */
  readonly created: number
  readonly expires: number | undefined
  /** To the minute. */
  readonly used: number | undefined
}

export interface NewAccessToken {
  readonly account: string
  readonly name: string
  /** `repository:PATTERN:ACTIONS` */
  readonly scopes: readonly string[]
  readonly expires?: number | undefined
}

interface Row {
  readonly id: string
  readonly account: string
  readonly name: string
  readonly scopes: string
  readonly created: number
  readonly expires: number | null
  readonly used: number | null
}

/** What tells a token from a password, for people and for programs that look for leaked secrets. */
export const tokenPrefix = 'brt_'

const NAME = /^[\w][\w.-]{0,63}$/
const MINUTE = 60_000
const SELECT = 'SELECT id, account, name, scopes, created, expires, used FROM access_tokens'

/** Access tokens in the registry's database. */
export class AccessTokens {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /** The secret is returned this once, and kept nowhere. Durable when it resolves. */
  async create(token: NewAccessToken): Promise<string> {
    if (!NAME.test(token.name) || token.name === 'anonymous') {
      throw wrongTokenName(`"${token.name}" cannot be the name of a token: letters, digits, "_", "." and "-"`)
    }
    const scopes = token.scopes.map(readScope)
    if (token.account === '' && scopes.length === 0) {
      throw wrongTokenScope(
        'a token without an account has only the rights of its scopes, and there are none',
      )
    }
    const secret = `${tokenPrefix}${randomBytes(32).toString('base64url')}`
    try {
      this.#db.run(
        `INSERT INTO access_tokens (id, account, name, scopes, secret, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)`,
        [
          randomUUID(),
          token.account,
          token.name,
          scopes.map(formatScope).join(' '),
          secretHash(secret),
          this.#now(),
          token.expires ?? null,
        ],
      )
    } catch (error) {
      if (!isUniqueViolation(error)) throw error
      throw new EngineError('conflict', `there is a token ${token.name} already`, {
        code: 'TOKEN_NAME_TAKEN',
      })
    }
    await this.#db.durable()
    return secret
  }

  /** The token with this secret, unless it has expired. Remembers that it was used. */
  use(secret: string): AccessToken | undefined {
    const token = this.#live(this.#db.get<Row>(`${SELECT} WHERE secret = ?`, [secretHash(secret)]))
    if (token !== undefined) this.#touch(token)
    return token
  }

  /** By its id, unless it has expired. */
  find(id: string): AccessToken | undefined {
    return this.#live(this.#db.get<Row>(`${SELECT} WHERE id = ?`, [id]))
  }

  /** Expired ones too. */
  list(): readonly AccessToken[] {
    return this.#db.all<Row>(`${SELECT} ORDER BY account, name`).map(tokenOf)
  }

  /** Ends it, and every login made with it. Rejects with `not_found`. Durable when it resolves. */
  async remove(account: string, name: string): Promise<void> {
    const removed = this.#db.run(
      'DELETE FROM access_tokens WHERE account = ? AND name = ?',
      [account, name],
      {
        urgent: true,
      },
    )
    if (removed === 0) {
      throw new EngineError(
        'not_found',
        `there is no token ${name}${account === '' ? '' : ` of ${account}`}`,
        {
          code: 'TOKEN_NOT_FOUND',
        },
      )
    }
    await this.#db.durable()
  }

  /** Ends all tokens of an account, for one that is removed. Durable when it resolves. */
  async removeAll(account: string): Promise<void> {
    this.#db.run('DELETE FROM access_tokens WHERE account = ?', [account], { urgent: true })
    await this.#db.durable()
  }

  #live(row: Row | undefined): AccessToken | undefined {
    return row === undefined || (row.expires ?? Infinity) <= this.#now() ? undefined : tokenOf(row)
  }

  #touch({ id, used }: AccessToken): void {
    const now = this.#now()
    if (used !== undefined && now - used < MINUTE) return
    this.#db.run('UPDATE access_tokens SET used = ? WHERE id = ?', [now, id])
  }

  #now(): number {
    return this.#clock.now().getTime()
  }
}

/** Enough for a random secret of 256 bits: there is nothing to guess that hashing slowly would protect. */
export function secretHash(secret: string): Uint8Array {
  return createHash('sha256').update(secret).digest()
}

function tokenOf(row: Row): AccessToken {
  return {
    ...row,
    scopes: row.scopes.split(' ').flatMap((text) => parseScope(text) ?? []),
    expires: row.expires ?? undefined,
    used: row.used ?? undefined,
  }
}

function readScope(text: string): Scope {
  const scope = parseScope(text)
  const known: readonly string[] = [...allActions, '*']
  if (scope?.type !== 'repository' || !scope.actions.every((action) => known.includes(action))) {
    throw wrongTokenScope(`"${text}" is no scope of a token; an example is repository:team/*:pull,push`)
  }
  checkPattern(scope.name, 'scope')
  return scope
}
