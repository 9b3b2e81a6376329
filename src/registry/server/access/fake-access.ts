/** A registry's accounts without files, threads or waiting, for tests. */
import { generateKeyPairSync } from 'node:crypto'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { openDatabase } from '#store/db.ts'
import type { AccessRequest } from '../access.ts'
import { migrations } from '../storage/migrations/migrations.ts'
import { AccessTokens } from './access-tokens.ts'
import { Authentication } from './authentication.ts'
import type { PasswordHashes } from './bcrypt.ts'
import { BearerTokens } from './bearer-tokens.ts'
import type { Account } from './htpasswd.ts'
import { LoginLimits } from './login-limits.ts'
import { Logins } from './logins.ts'
import { Passwords } from './passwords.ts'
import { RegistryAccess } from './registry-access.ts'
import { Rules } from './rules.ts'
import type { AccessSettings } from './settings.ts'
import { TokenEndpoint } from './token-endpoint.ts'

/** Passwords with a sign before them; `checked` counts what bcrypt would have taken its time for. */
export class FakeHashes implements PasswordHashes {
  readonly checked: string[] = []

  hash(password: string): Promise<string> {
    return Promise.resolve(`hash of ${password}`)
  }

  verify(password: string, hash: string): Promise<boolean> {
    this.checked.push(hash)
    return Promise.resolve(hash === `hash of ${password}`)
  }
}

/** `users`: passwords by name. */
export function accessWith(users: Readonly<Record<string, string>>, settings: AccessSettings = {}) {
  const clock = new FakeClock()
  const db = openDatabase(':memory:', { logger: silentLogger, migrations })
  const table = new Map<string, Account>(
    Object.entries(users).map(([name, password]) => [name, { name, hash: `hash of ${password}` }]),
  )
  const accounts = { all: () => Promise.resolve(table) }
  const hashes = new FakeHashes()
  const limits = new LoginLimits({ clock, perAccount: 3, perAddress: 5 })
  const passwords = new Passwords({ accounts, hashes, limits, clock })
  const accessTokens = new AccessTokens(db, clock)
  const logins = new Logins(db, clock)
  const authentication = new Authentication({
    accounts,
    passwords,
    limits,
    accessTokens,
    logins,
    logger: silentLogger,
  })
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const service = 'test-registry'
  const bearerTokens = new BearerTokens({ key, clock, service })
  const deps = { rules: new Rules(settings), authentication, bearerTokens, service }
  const access = new RegistryAccess(deps)
  const tokens = new TokenEndpoint(deps)
  return {
    access,
    tokens,
    clock,
    db,
    table,
    hashes,
    passwords,
    accessTokens,
    logins,
    bearerTokens,
    key,
    service,
  }
}

export function requestFrom(authorization?: string, remoteAddress = '192.0.2.7'): AccessRequest {
  return { authorization, host: 'registry.test:5000', secure: false, remoteAddress }
}

export function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
}
