/** Answers the challenges of one registry with one person's credentials. */
import { EngineError } from '#base/errors.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import { type Connections, forgetting } from './connections.ts'
import type { Endpoint } from './hosts.ts'
import { vetRealm } from './realm.ts'
import type { Credentials } from './repository.ts'
import { uniteScopes } from './scopes.ts'
import { basicHeader, type TokenService } from './token-service.ts'
import type { Token, TokenCache, TokenKey } from './tokens.ts'

export interface AuthorizerDeps {
  readonly connections: Connections
  readonly tokens: TokenCache
  readonly service: TokenService
  /** `registry-token-hosts`. */
  readonly tokenHosts: readonly string[]
  /** Aborted when the client is closed: a token that several wait for has no other end. */
  readonly closing: AbortSignal
}

/** What is known about how a server wants to be asked; shared by all who ask it. */
export interface Memory {
  challenge: { readonly challenge: Challenge; readonly from: URL } | undefined
}

/** A 401. */
export interface ReceivedChallenge {
  readonly header: string | undefined
  readonly from: URL
  /** It answers a request that was made with what the challenge before it brought. */
  readonly again: boolean
}

const MAX_SCOPE = 4096

export class Authorizer {
  readonly #deps: AuthorizerDeps
  readonly #endpoint: Endpoint
  readonly #credentials: Credentials
  readonly #memory: Memory
  /** The token each set of scopes was last sent with. */
  readonly #sent = new Map<string, { readonly key: TokenKey; readonly token: Token }>()
  /** What registries asked for beyond what we thought we needed, by the latter. */
  readonly #wider = new Map<string, readonly string[]>()
  readonly #offline: boolean

  /** `offline`: a refresh token is wanted as well. */
  constructor(
    deps: AuthorizerDeps,
    endpoint: Endpoint,
    credentials: Credentials,
    memory: Memory,
    offline = false,
  ) {
    this.#offline = offline
    this.#deps = deps
    this.#endpoint = endpoint
    this.#credentials = credentials
    this.#memory = memory
  }

  /** The value of `Authorization`, as far as the registry has said what it wants; undefined: none. */
  async header(scopes: readonly string[], signal: AbortSignal | undefined): Promise<string | undefined> {
    const { registryToken } = this.#credentials
    if (registryToken !== undefined) return `Bearer ${headerSafe(registryToken)}`
    if (this.#memory.challenge === undefined) return undefined
    return this.#answer(this.#memory.challenge, scopes, signal)
  }

  /**
   * After a 401 with `header` as challenge: what to try again with. Undefined: nothing that was not `refused` already.
   * The new token covers what the challenge names too.
   */
  async renew(
    { header, from, again }: ReceivedChallenge,
    scopes: readonly string[],
    refused: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    if (this.#credentials.registryToken !== undefined) return undefined
    const challenge = this.#choose(parseChallenges(header))
    if (challenge === undefined) return undefined
    this.#memory.challenge = { challenge, from }
    if (challenge.scheme === 'bearer') {
      const before = this.#wanted(scopes)
      const asked = challenge.parameters['scope'] ?? ''
      if (asked.length <= MAX_SCOPE) this.#wider.set(scopes.join(' '), uniteScopes([...before, asked]))
      const wider = this.#wanted(scopes).join(' ') !== before.join(' ')
      // A token of a moment ago that is too narrow for what it was asked for stays so.
      if (again && !wider && challenge.parameters['error'] === 'insufficient_scope') return undefined
      this.#forget(scopes)
    }
    const answer = await this.#answer(this.#memory.challenge, scopes, signal)
    return answer === refused ? undefined : answer
  }

  /** The refresh token that a login brought; undefined where the registry gives none. */
  async login(signal: AbortSignal | undefined): Promise<string | undefined> {
    const known = this.#memory.challenge
    if (known?.challenge.scheme !== 'bearer') return undefined
    const { token } = await this.#token(known.challenge, known.from, [], signal)
    return token.refreshToken
  }

  #choose(challenges: readonly Challenge[]): Challenge | undefined {
    const { username, password } = this.#credentials
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && 'realm' in parameters)
    if (bearer !== undefined) return bearer
    return username === undefined || password === undefined
      ? undefined
      : challenges.find(({ scheme }) => scheme === 'basic')
  }

  async #answer(
    { challenge, from }: { readonly challenge: Challenge; readonly from: URL },
    scopes: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    if (challenge.scheme === 'basic') {
      const { username, password } = this.#credentials
      return username === undefined || password === undefined ? undefined : basicHeader(username, password)
    }
    const { key, token } = await this.#token(challenge, from, scopes, signal)
    this.#sent.set(scopes.join(' '), { key, token })
    return `Bearer ${token.value}`
  }

  async #token(
    challenge: Challenge,
    from: URL,
    scopes: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<{ readonly key: TokenKey; readonly token: Token }> {
    const { connections, tokens, service, tokenHosts, closing } = this.#deps
    const credentials = this.#credentials
    const { realm = '', service: name = '' } = challenge.parameters
    const withCredentials = credentials.password !== undefined || credentials.identityToken !== undefined
    const endpoint = this.#endpoint
    const vetted = vetRealm({ realm, endpoint, from, withCredentials, allowed: tokenHosts })
    const wanted = this.#wanted(scopes)
    const offline = this.#offline
    // A token that came without a refresh token is no answer to a login.
    const key = { realm, service: offline ? `${name} offline` : name, scopes: wanted, credentials }
    const fetch = async (): Promise<Token> => {
      const agent = await connections.guest(endpoint, vetted.url, vetted.trusted)
      const { registry } = endpoint
      const question = {
        realm: vetted.url,
        agent,
        service: name,
        scopes: wanted,
        credentials,
        offline,
        registry,
      }
      return forgetting(connections, vetted.url, service.fetch({ ...question, signal: closing }))
    }
    return { key, token: await tokens.get(key, fetch, signal) }
  }

  #wanted(scopes: readonly string[]): readonly string[] {
    return this.#wider.get(scopes.join(' ')) ?? uniteScopes(scopes)
  }

  #forget(scopes: readonly string[]): void {
    const sent = this.#sent.get(scopes.join(' '))
    if (sent !== undefined) this.#deps.tokens.forget(sent.key, sent.token.value)
  }
}

function headerSafe(value: string): string {
  if (/^[\x20-\x7e]*$/.test(value)) return value
  throw new EngineError('invalid_argument', 'the registry token holds characters that no header may hold', {
    code: 'REGISTRY_TOKEN_INVALID',
  })
}
