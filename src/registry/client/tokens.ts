/** Bearer tokens: fetched once however many ask, kept until shortly before they end. */
import { createHash } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { SingleFlight } from '#base/single-flight.ts'
import type { Credentials } from './repository.ts'

export interface Token {
  readonly value: string
  /** Milliseconds since the epoch. */
  readonly expires: number
  readonly refreshToken: string | undefined
}

export interface TokenKey {
  readonly realm: string
  readonly service: string
  readonly scopes: readonly string[]
  readonly credentials: Credentials
}

/** A token that ends within this is not begun with. Milliseconds. */
const MARGIN = 5_000
const MAX_TOKENS = 2_000

export class TokenCache {
  readonly #clock: Clock
  readonly #tokens = new Map<string, Token>()
  readonly #fetching = new SingleFlight<Token>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `fetch` is not cancelled by one of several who wait for it. */
  async get(key: TokenKey, fetch: () => Promise<Token>, signal: AbortSignal | undefined): Promise<Token> {
    const id = idOf(key)
    const known = this.#tokens.get(id)
    if (known !== undefined && known.expires - MARGIN > this.#clock.now().getTime()) return known
    return this.#fetching.do(id, async () => this.#keep(id, await fetch()), signal)
  }

  /** It was refused. Another one that came meanwhile is kept. */
  forget(key: TokenKey, value: string): void {
    const id = idOf(key)
    if (this.#tokens.get(id)?.value === value) this.#tokens.delete(id)
  }

  #keep(id: string, token: Token): Token {
    this.#tokens.delete(id)
    this.#tokens.set(id, token)
    const [oldest] = this.#tokens.size > MAX_TOKENS ? this.#tokens.keys() : []
    if (oldest !== undefined) this.#tokens.delete(oldest)
    return token
  }
}

/** Secrets do not stay in keys. */
function idOf({ realm, service, scopes, credentials }: TokenKey): string {
  const { username, password, identityToken } = credentials
  const parts = [realm, service, [...scopes].toSorted(), username, password, identityToken]
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64')
}
