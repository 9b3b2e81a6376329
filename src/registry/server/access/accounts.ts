import { join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import type { Database } from '#store/db.ts'
import type { AccessControl } from '../access.ts'
import { AccessTokens } from './access-tokens.ts'
import { Authentication } from './authentication.ts'
import { BcryptThread } from './bcrypt.ts'
import { BearerTokens } from './bearer-tokens.ts'
import { HtpasswdFile } from './htpasswd-file.ts'
import { LoginLimits, type LoginLimitOptions } from './login-limits.ts'
import { Logins } from './logins.ts'
import { Passwords } from './passwords.ts'
import { RegistryAccess } from './registry-access.ts'
import { Rules } from './rules.ts'
import type { AccessSettings } from './settings.ts'
import { openSigningKey } from './signing-key.ts'
import { TokenEndpoint } from './token-endpoint.ts'

export interface AccountsOptions {
  /** Directory of the registry: has the signing key. */
  readonly root: string
  readonly htpasswd: string
  readonly settings: AccessSettings
  readonly db: Database
  readonly clock: Clock
  readonly logger: Logger
  /** Name in challenges and audience of tokens. */
  readonly service?: string | undefined
  readonly limits?: Omit<LoginLimitOptions, 'clock'> | undefined
}

/** The parts of a registry with accounts. Disposing ends the thread that computes bcrypt. */
export interface AccountAccess extends AsyncDisposable {
  readonly access: AccessControl
  readonly tokens: TokenEndpoint
  readonly accessTokens: AccessTokens
  readonly logins: Logins
}

/** Puts the parts together. Throws `invalid_argument` for accounts, rules or a signing key that cannot be used. */
export async function openAccounts(options: AccountsOptions): Promise<AccountAccess> {
  const { root, db, clock, logger, service = 'berth-registry' } = options
  const rules = new Rules(options.settings)
  const accounts = await HtpasswdFile.open(options.htpasswd, { clock, logger })
  const key = await openSigningKey(join(root, 'token-key.pem'))

  const hashes = new BcryptThread()
  const limits = new LoginLimits({ ...options.limits, clock })
  const passwords = new Passwords({ accounts, hashes, limits, clock })
  const accessTokens = new AccessTokens(db, clock)
  const logins = new Logins(db, clock)
  const authentication = new Authentication({ accounts, passwords, limits, accessTokens, logins, logger })
  const bearerTokens = new BearerTokens({ key, clock, service })
  const deps = { rules, authentication, bearerTokens, service }
  return {
    access: new RegistryAccess(deps),
    tokens: new TokenEndpoint(deps),
    accessTokens,
    logins,
    [Symbol.asyncDispose]: () => hashes[Symbol.asyncDispose](),
  }
}
