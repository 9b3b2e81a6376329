/** Bearer tokens: fetched once however many ask, kept until shortly before they end. */
import { createHash } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { abortable } from '#base/mutex.ts'
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
  readonly #fetching = new Map<string, Promise<Token>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `fetch` is not cancelled by one of several who wait for it. */
  async get(key: TokenKey, fetch: () => Promise<Token>, signal: AbortSignal | undefined): Promise<Token> {
    const id = idOf(key)
    const known = this.#tokens.get(id)
    if (known !== undefined && known.expires - MARGIN > this.#clock.now().getTime()) return known
    return abortable(this.#fetching.get(id) ?? this.#fetch(id, fetch), signal)
  }

  /** It was refused. Another one that came meanwhile is kept. */
  forget(key: TokenKey, value: string): void {
    const id = idOf(key)
    if (this.#tokens.get(id)?.value === value) this.#tokens.delete(id)
  }

  #fetch(id: string, fetch: () => Promise<Token>): Promise<Token> {
    const fetching = fetch()
      .then((token) => {
        this.#tokens.delete(id)
        this.#tokens.set(id, token)
        for (const oldest of this.#tokens.keys()) {
          if (this.#tokens.size <= MAX_TOKENS) break
          this.#tokens.delete(oldest)
        }
        return token
      })
      .finally(() => this.#fetching.delete(id))
    this.#fetching.set(id, fetching)
    // Whoever waits may have left: nobody is to stumble over it then.
    fetching.catch(() => undefined)
    return fetching
  }
}

/** Secrets do not stay in keys. */
function idOf({ realm, service, scopes, credentials }: TokenKey): string {
  const { username, password, identityToken } = credentials
  const parts = [realm, service, [...scopes].toSorted(), username, password, identityToken]
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64')
}
