/**
 * Asks a token service: by GET with Basic credentials, or by OAuth2's POST. distribution "Token Authentication
 * Specification", "OAuth2 Token Authentication".
 */
import type http from 'node:http'
import type { Clock } from '#base/clock.ts'
import { EngineError, engineErrorOf } from '#base/errors.ts'
import { answerError, badAnswer, parseErrorBody } from './errors.ts'
import type { Credentials } from './repository.ts'
import { parseRetryAfter } from './retries.ts'
import type { Token } from './tokens.ts'
import type { HttpReply, Transport } from './transport.ts'

const CLIENT_ID = 'berth'
const MAX_ANSWER = 1 << 20
/** Seconds, where the service does not say. */
const DEFAULT_LIFE = 60
/** Those that know GET alone answer so; some say that they do not understand. */
const noPost: readonly unknown[] = [400, 404, 405, 501]

export interface TokenQuestion {
  /** Vetted. */
  readonly realm: URL
  readonly agent: http.Agent
  readonly service: string
  readonly scopes: readonly string[]
  readonly credentials: Credentials
  /** A refresh token is wanted too. */
  readonly offline: boolean
  /** For texts. */
  readonly registry: string
  readonly signal?: AbortSignal | undefined
}

export class TokenService {
  readonly #transport: Transport
  readonly #clock: Clock

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport
    this.#clock = clock
  }

  async fetch(question: TokenQuestion): Promise<Token> {
    const { credentials, offline } = question
    if (credentials.identityToken !== undefined) return this.#post(question)
    if (!offline || credentials.password === undefined) return this.#get(question)
    try {
      return await this.#post(question)
    } catch (error) {
      if (!noPost.includes(engineErrorOf(error)?.details['status'])) throw error
      return this.#get(question)
    }
  }

  async #get(question: TokenQuestion): Promise<Token> {
    const { realm, service, scopes, credentials, offline } = question
    const url = new URL(realm)
    if (service !== '') url.searchParams.set('service', service)
    for (const scope of scopes) url.searchParams.append('scope', scope)
    const { username, password } = credentials
    const known = username !== undefined && password !== undefined
    if (known) url.searchParams.set('account', username)
    if (offline) url.searchParams.set('offline_token', 'true')
    url.searchParams.set('client_id', CLIENT_ID)
    return this.#ask(question, {
      method: 'GET',
      url,
      headers: known ? { authorization: basicHeader(username, password) } : {},
    })
  }

  async #post(question: TokenQuestion): Promise<Token> {
    const { realm, service, scopes, credentials, offline } = question
    const { username = '', password = '', identityToken } = credentials
    const form = new URLSearchParams({ service, client_id: CLIENT_ID })
    if (scopes.length > 0) form.set('scope', scopes.join(' '))
    if (offline) form.set('access_type', 'offline')
    if (identityToken === undefined) {
      form.set('grant_type', 'password')
      form.set('username', username)
      form.set('password', password)
    } else {
      form.set('grant_type', 'refresh_token')
      form.set('refresh_token', identityToken)
    }
    return this.#ask(question, {
      method: 'POST',
      url: new URL(realm),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(form.toString()),
    })
  }

  async #ask(
    { agent, registry, signal }: TokenQuestion,
    request: { method: string; url: URL; headers: Record<string, string>; body?: Uint8Array },
  ): Promise<Token> {
    using reply = await this.#transport.send({ ...request, agent, signal })
    const bytes = await reply.bytes(MAX_ANSWER)
    if (reply.status >= 300) throw this.#failure(reply, bytes, registry)
    return readToken(reply.url.host, bytes, this.#clock.now().getTime())
  }

  #failure({ status, headers, url }: HttpReply, bytes: Uint8Array, registry: string): EngineError {
    // A redirect would carry the credentials to somebody nobody has looked at.
    if (status < 400) return badAnswer(url.host, `the token service answers with a redirect (${status})`)
    const retryAfter = parseRetryAfter(headers['retry-after'], this.#clock.now().getTime())
    const { code, message } = parseErrorBody(bytes)
    const wrong = message || (status === 401 ? 'incorrect username or password' : '')
    return answerError({ registry, action: 'token' }, { status, code, message: wrong, retryAfter })
  }
}

export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Characters of RFC 6750; anything else could smuggle a header. */
const TOKEN = /^[\x21-\x7e]{1,65536}$/

function readToken(host: string, bytes: Uint8Array, now: number): Token {
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder().decode(bytes))
  } catch (error) {
    throw badAnswer(host, 'the token service sent no JSON', error)
  }
  const fields = (typeof document === 'object' && document !== null ? document : {}) as Record<
    string,
    unknown
  >
  const { token, access_token, expires_in, refresh_token } = fields
  const value = [token, access_token].find((one) => typeof one === 'string' && TOKEN.test(one))
  if (typeof value !== 'string') throw badAnswer(host, 'the token service sent no token')
  const life = typeof expires_in === 'number' && expires_in >= 1 ? expires_in : DEFAULT_LIFE
  return {
    value,
    expires: now + life * 1000,
    refreshToken: typeof refresh_token === 'string' && refresh_token !== '' ? refresh_token : undefined,
  }
}
