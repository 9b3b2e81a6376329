import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import type { Database } from '#store/db.ts'
import { secretHash } from './access-tokens.ts'

/** A login that a client keeps as refresh token. Times are milliseconds since the epoch. */
export interface StoredLogin {
  readonly id: string
  /** Empty: of a deploy token. */
  readonly account: string
  /** Id of the access token that was the password. */
  readonly accessToken: string | null
  /** SHA-256 of the account's entry, where a password was the password. */
  readonly password: Uint8Array | null
  readonly client: string
  readonly address: string
  readonly created: number
  readonly expires: number
  readonly used: number | null
}

export interface NewLogin {
  readonly account: string
  readonly accessToken: string | undefined
  /** The account's entry in htpasswd. */
  readonly hash: string | undefined
  readonly client: string
  readonly address: string
}

const DAY = 86_400_000
/** A login that is not used for so long has ended, and so has every one that is so old. */
const IDLE = 90 * DAY
const OLDEST = 365 * DAY
/** Per account; `docker login` in every job of a CI would fill the table. */
const MAX_LOGINS = 200
const SELECT = `SELECT id, account, access_token AS accessToken, password, client, address, created, expires, used
  FROM logins`

/** Refresh tokens in the registry's database. */
export class Logins {
  readonly #db: Database
  readonly #clock: Clock

  constructor(db: Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /** Returns the refresh token, which is kept nowhere. Durable when it resolves. */
  async create(login: NewLogin): Promise<string> {
    const secret = `brr_${randomBytes(32).toString('base64url')}`
    const now = this.#now()
    this.#db.transaction(() => {
      this.#db.run('DELETE FROM logins WHERE expires <= ?', [now])
      this.#db.run(
        `INSERT INTO logins (id, account, access_token, password, client, address, secret, created, expires)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [
          randomUUID(),
          login.account,
          login.accessToken ?? null,
          login.hash === undefined ? null : entryHash(login.hash),
          login.client.slice(0, 128),
          login.address,
          secretHash(secret),
          now,
          now + IDLE,
        ],
      )
      this.#db.run(
        `DELETE FROM logins WHERE id IN (SELECT id FROM logins WHERE account = ? AND access_token IS ?
           ORDER BY coalesce(used, created) DESC, id LIMIT -1 OFFSET ?)`,
        [login.account, login.accessToken ?? null, MAX_LOGINS],
      )
    })
    await this.#db.durable()
    return secret
  }

  /** The login with this refresh token, unless it has expired. Using it prolongs it. */
  use(secret: string): StoredLogin | undefined {
    const now = this.#now()
    const login = this.#db.get<StoredLogin>(`${SELECT} WHERE secret = ? AND expires > ?`, [
      secretHash(secret),
      now,
    ])
    if (login === undefined || now - (login.used ?? 0) < DAY / 24) return login
    const expires = Math.min(now + IDLE, login.created + OLDEST)
    this.#db.run('UPDATE logins SET used = ?, expires = ? WHERE id = ?', [now, expires, login.id])
    return login
  }

  list(): readonly StoredLogin[] {
    return this.#db.all<StoredLogin>(`${SELECT} WHERE expires > ? ORDER BY account, created`, [this.#now()])
  }

  /** Ends all logins of an account; how many there were. Durable when it resolves. */
  async removeAll(account: string): Promise<number> {
    const removed = this.#db.run('DELETE FROM logins WHERE account = ?', [account], { urgent: true })
    await this.#db.durable()
    return removed
  }

  #now(): number {
    return this.#clock.now().getTime()
  }
}

/** Changes with the password, and says nothing about it. */
export function entryHash(hash: string): Uint8Array {
  return createHash('sha256').update(hash).digest()
}
