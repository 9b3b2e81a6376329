import { createHmac, randomBytes } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { SingleFlight } from '#base/single-flight.ts'
import type { PasswordHashes } from './bcrypt.ts'
import type { Account } from './htpasswd.ts'
import type { Accounts } from './htpasswd-file.ts'
import type { LoginLimits } from './login-limits.ts'

export interface PasswordsDeps {
  readonly accounts: Accounts
  readonly hashes: PasswordHashes
  readonly limits: LoginLimits
  readonly clock: Clock
}

export interface Login {
  readonly name: string
  readonly password: string
  readonly remoteAddress: string
}

/** Milliseconds for which a password that was right is not computed again, and how many of them are remembered. */
const REMEMBERED = 300_000
const MAX_REMEMBERED = 1000

/** Of nobody's password; stands in for accounts of a file without any. */
const NOBODY = '$2b$10$KtzRbeyMRP5Eau7/ZnwqBOLiSoL5gILDpD6hTUWopF4xz70hT5BGC'

/**
 * Checks passwords so that it takes as long for an account that is not there as for one that is. Right ones are
 * remembered for a short while, as codes under a key that dies with the process, since bcrypt is slow and every request
 * of a client with Basic brings its password along.
 */
export class Passwords {
  readonly #deps: PasswordsDeps
  readonly #key = randomBytes(32)
  /** End of remembering by code, oldest first. */
  readonly #right = new Map<string, number>()
  /** Clients send several requests at once; they are one check. */
  readonly #checking = new SingleFlight<boolean>()

  constructor(deps: PasswordsDeps) {
    this.#deps = deps
  }

  /** The account, or undefined: no such account or another password. Throws `resource_exhausted` after many failures. */
  async verify(login: Login): Promise<Account | undefined> {
    const { accounts, limits } = this.#deps
    // Before the memory is asked: else it would answer guesses, quickly and without limit.
    limits.check(login.remoteAddress, login.name)
    const all = await accounts.all()
    const account = all.get(login.name)
    const hash = account?.hash ?? this.#standIn(login.name, [...all.values()])
    const code = this.#code(login.name, hash, login.password)
    if (account !== undefined && this.#isRemembered(code)) return account
    const right = await this.#checking.do(`${code} ${login.remoteAddress}`, () =>
      this.#check(login, hash, account !== undefined),
    )
    if (!right || account === undefined) return undefined
    this.#remember(code)
    return account
  }

  async #check(login: Login, hash: string, exists: boolean): Promise<boolean> {
    const attempt = this.#deps.limits.begin(login.remoteAddress, login.name)
    try {
      const right = (await this.#deps.hashes.verify(login.password, hash)) && exists
      if (right) attempt.succeeded()
      return right
    } catch (error) {
      attempt.withdrawn()
      throw error
    }
  }

  /** The same for the same name, and as costly as that of some account. */
  #standIn(name: string, accounts: readonly Account[]): string {
    if (accounts.length === 0) return NOBODY
    const number = createHmac('sha256', this.#key).update(name).digest().readUInt32BE()
    return accounts[number % accounts.length]?.hash ?? NOBODY
  }

  #code(...parts: readonly string[]): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest('base64')
  }

  #isRemembered(code: string): boolean {
    return (this.#right.get(code) ?? 0) > this.#deps.clock.now().getTime()
  }

  #remember(code: string): void {
    const [oldest] = this.#right.size >= MAX_REMEMBERED ? this.#right.keys() : []
    if (oldest !== undefined) this.#right.delete(oldest)
    this.#right.delete(code)
    this.#right.set(code, this.#deps.clock.now().getTime() + REMEMBERED)
  }
}
