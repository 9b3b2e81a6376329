import { timingSafeEqual } from 'node:crypto'
import type { Logger } from '#base/logger.ts'
import { tokenPrefix, type AccessToken, type AccessTokens } from './access-tokens.ts'
import type { BearerClaims } from './bearer-tokens.ts'
import { anonymous, type Identity } from './identity.ts'
import type { Accounts } from './htpasswd-file.ts'
import { entryHash, type Logins, type NewLogin } from './logins.ts'
import type { LoginLimits } from './login-limits.ts'
import type { Login, Passwords } from './passwords.ts'

export interface AuthenticationDeps {
  readonly accounts: Accounts
  readonly passwords: Passwords
  readonly limits: LoginLimits
  readonly accessTokens: AccessTokens
  readonly logins: Logins
  readonly logger: Logger
}

/** Who somebody is. Every answer is as of now: a removed account or token ends whatever was made with it. */
export class Authentication {
  readonly #deps: AuthenticationDeps

  constructor(deps: AuthenticationDeps) {
    this.#deps = deps
  }

  /** By name and password, or an access token as password; undefined: not so. Throws `resource_exhausted`. */
  async login(login: Login): Promise<Identity | undefined> {
    const isToken = login.password.startsWith(tokenPrefix)
    const identity = await (isToken ? this.#byAccessToken(login) : this.#byPassword(login))
    if (identity === undefined) await this.#reportFailure(login)
    return identity
  }

  /** By an access token alone, shown as Bearer. */
  async byAccessToken(secret: string): Promise<Identity | undefined> {
    const token = this.#deps.accessTokens.use(secret)
    return token === undefined ? undefined : this.#identity(token)
  }

  /** By a bearer token whose signature was right. */
  async byClaims({ subject, accessToken }: BearerClaims): Promise<Identity | undefined> {
    if (accessToken !== undefined) {
      const token = this.#deps.accessTokens.find(accessToken)
      return token === undefined ? undefined : this.#identity(token)
    }
    if (subject === '') return anonymous
    return (await this.#deps.accounts.all()).has(subject) ? { kind: 'account', name: subject } : undefined
  }

  /** By a refresh token. */
  async byLogin(secret: string): Promise<Identity | undefined> {
    const stored = this.#deps.logins.use(secret)
    if (stored === undefined) return undefined
    if (stored.accessToken !== null) {
      const token = this.#deps.accessTokens.find(stored.accessToken)
      return token === undefined ? undefined : this.#identity(token)
    }
    const account = (await this.#deps.accounts.all()).get(stored.account)
    if (account === undefined || stored.password === null) return undefined
    return timingSafeEqual(entryHash(account.hash), stored.password)
      ? { kind: 'account', name: account.name }
      : undefined
  }

  /** A refresh token for somebody who has just logged in. */
  async keep(identity: Identity, from: Pick<NewLogin, 'client' | 'address'>): Promise<string> {
    const account = identity.kind === 'account' ? identity.name : ''
    const hash =
      identity.token === undefined ? (await this.#deps.accounts.all()).get(account)?.hash : undefined
    return this.#deps.logins.create({ ...from, account, accessToken: identity.token?.id, hash })
  }

  async #byPassword(login: Login): Promise<Identity | undefined> {
    const account = await this.#deps.passwords.verify(login)
    return account === undefined ? undefined : { kind: 'account', name: account.name }
  }

  /** A name that is no account's is left out: it may be a password that was typed into the wrong field. */
  async #reportFailure({ name, remoteAddress }: Login): Promise<void> {
    const account = (await this.#deps.accounts.all()).has(name) ? name : undefined
    this.#deps.logger.warn('login failed', { remoteAddress, account })
  }

  async #byAccessToken(login: Login): Promise<Identity | undefined> {
    const attempt = this.#deps.limits.begin(login.remoteAddress, login.name)
    const token = this.#deps.accessTokens.use(login.password)
    const identity = token === undefined ? undefined : await this.#identity(token)
    if (identity?.name !== login.name) return undefined
    attempt.succeeded()
    return identity
  }

  async #identity({ id, account, name, scopes }: AccessToken): Promise<Identity | undefined> {
    const token = { id, scopes }
    if (account === '') return { kind: 'deploy', name, token }
    return (await this.#deps.accounts.all()).has(account)
      ? { kind: 'account', name: account, token }
      : undefined
  }
}
