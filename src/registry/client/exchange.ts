/**
 * A request to one registry, as one person: the scheme that works, credentials for the registry alone, redirects
 * without them, retries. What every operation is made of.
 */
import type { Clock } from '#base/clock.ts'
import { engineErrorOf } from '#base/errors.ts'
import type { Authorizer, Memory, ReceivedChallenge } from './authorizer.ts'
import { type Connections, forgetting } from './connections.ts'
import { answerError, badAnswer, parseErrorBody, quotable, refusedTarget, type Subject } from './errors.ts'
import type { Endpoint, Scheme } from './hosts.ts'
import { parseChallenges } from './challenge.ts'
import { isUsedUp, parseRetryAfter, type RetryPolicy, type RetryScope, withRetries } from './retries.ts'
import type { HttpReply, Transport } from './transport.ts'

export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /** Below the endpoint's prefix, with its query; or an address that `follow` has returned. */
  readonly target: string | URL
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Called for every time that it is sent. */
  readonly body?: (() => Uint8Array | AsyncIterable<Uint8Array>) | undefined
  readonly scopes: readonly string[]
  /** Statuses that are no failure, beside those that mean success. */
  readonly accept?: readonly number[] | undefined
  readonly retry: RetryScope
  readonly subject: Subject
  readonly signal?: AbortSignal | undefined
}

/** What is known about a server, shared by everybody who asks it. */
export interface ServerMemory extends Memory {
  scheme: Scheme | undefined
  /** Milliseconds since the epoch: a mirror that failed is not asked before. */
  restsUntil: number
}

export interface ExchangeDeps {
  readonly transport: Transport
  readonly connections: Connections
  readonly authorizer: Authorizer
  readonly memory: ServerMemory
  readonly retries: RetryPolicy
  readonly clock: Clock
  readonly userAgent: string
  readonly onReply?: ReplyListener | undefined
}

/** Told of the headers of every answer of a registry: some say there how much may still be pulled. */
export type ReplyListener = (registry: string, headers: HttpReply['headers']) => void

const MAX_REDIRECTS = 5
const MAX_ERROR_BODY = 64 << 10
/** A second 401 may ask for more than the first one did. */
const MAX_CHALLENGES = 2
const redirects: readonly number[] = [301, 302, 303, 307, 308]

export class RegistryExchange {
  readonly endpoint: Endpoint
  readonly #deps: ExchangeDeps

  constructor(endpoint: Endpoint, deps: ExchangeDeps) {
    this.endpoint = endpoint
    this.#deps = deps
  }

  /** Whoever gets the reply disposes it. */
  send(request: RegistryRequest): Promise<HttpReply> {
    return withRetries(this.#deps.retries, request.retry, request.signal, async () => {
      const reply = await this.#connect(request)
      this.#deps.onReply?.(this.endpoint.registry, reply.headers)
      if (isSuccess(request, reply.status)) return reply
      throw await this.#failure(request.subject, reply)
    })
  }

  /** What `target` is asked for at, as far as is known. */
  address(target: string): URL {
    return this.#url(this.#scheme(), target)
  }

  /** The address in a `Location` or `Link`, which must be one of this registry. CVE-2026-88887 */
  follow(reply: HttpReply, location: string | undefined, what: string): URL {
    const url = location === undefined ? null : URL.parse(location, reply.url)
    if (url === null) throw badAnswer(reply.url.host, `the answer has no usable ${what}`)
    const own = this.#base(this.#scheme())
    // Behind a proxy that ends TLS registries often name themselves with http: the host is what counts.
    if (url.host === own.host) url.protocol = own.protocol
    if (url.origin === own.origin) return url
    throw refusedTarget(
      `registry ${this.endpoint.registry} sends a ${what} to another server (${quotable(url.origin)}): refused`,
    )
  }

  /** An insecure registry is tried with TLS, then without; what has answered is kept. */
  async #connect(request: RegistryRequest): Promise<HttpReply> {
    const { memory } = this.#deps
    const scheme = this.#scheme()
    const fallback = memory.scheme === undefined && this.endpoint.schemes.length > 1
    try {
      return await this.#authorized(request, scheme)
    } catch (error) {
      if (!fallback || !failedToConnect(error)) throw error
      return this.#plain(request, error)
    }
  }

  async #plain(request: RegistryRequest, first: unknown): Promise<HttpReply> {
    try {
      return await this.#authorized(request, 'http')
    } catch (error) {
      // Nothing speaks HTTP there either: the first failure says more.
      if (engineErrorOf(first)?.code === 'REGISTRY_STALLED' && failedToConnect(error)) throw first
      throw error
    }
  }

  async #authorized(request: RegistryRequest, scheme: Scheme): Promise<HttpReply> {
    const { authorizer } = this.#deps
    const { scopes, signal, target } = request
    const url = typeof target === 'string' ? this.#url(scheme, target) : target
    let authorization = await authorizer.header(scopes, signal)
    for (let challenges = 0; ; challenges += 1) {
      const reply = await this.#redirected(request, url, authorization)
      this.#deps.memory.scheme = scheme
      if (reply.status !== 401 || reply.url.origin !== url.origin || challenges === MAX_CHALLENGES)
        return reply
      const challenge = { header: reply.headers['www-authenticate'], from: url, again: challenges > 0 }
      const renewed = await this.#renewed(reply, challenge, request, authorization)
      if (renewed === undefined) return reply
      // Read to its end, so that the next request finds the connection free.
      await bodyOf(reply)
      reply[Symbol.dispose]()
      authorization = renewed
    }
  }

  async #renewed(
    reply: HttpReply,
    challenge: ReceivedChallenge,
    { scopes, signal }: RegistryRequest,
    refused: string | undefined,
  ): Promise<string | undefined> {
    try {
      return await this.#deps.authorizer.renew(challenge, scopes, refused, signal)
    } catch (error) {
      reply[Symbol.dispose]()
      throw error
    }
  }

  async #redirected(
    request: RegistryRequest,
    start: URL,
    authorization: string | undefined,
  ): Promise<HttpReply> {
    let url = start
    for (let hops = 0; ; hops += 1) {
      const reply = await this.#once(request, url, url.origin === start.origin ? authorization : undefined)
      const reading = request.method === 'GET' || request.method === 'HEAD'
      if (!reading || !redirects.includes(reply.status)) return reply
      using _dropped = reply
      if (hops === MAX_REDIRECTS) throw badAnswer(start.host, `stopped after ${MAX_REDIRECTS} redirects`)
      url = this.#redirectTarget(reply, start)
    }
  }

  /** Where to: another server gets no credentials, and a registry with TLS leads to no one without. */
  #redirectTarget(reply: HttpReply, start: URL): URL {
    const { location } = reply.headers
    const url = location === undefined ? null : URL.parse(location, reply.url)
    if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
      throw badAnswer(start.host, 'a redirect leads nowhere')
    }
    url.username = ''
    url.password = ''
    if (url.protocol === 'http:' && reply.url.protocol === 'https:' && this.endpoint.verify) {
      throw refusedTarget(
        `registry ${this.endpoint.registry} redirects from https to "${quotable(url.origin)}": refused`,
      )
    }
    return url
  }

  async #once(request: RegistryRequest, url: URL, authorization: string | undefined): Promise<HttpReply> {
    try {
      return await this.#sendOnce(request, url, authorization)
    } catch (error) {
      const old = engineErrorOf(error)?.code === 'REGISTRY_CONNECTION_OLD'
      if (!old || request.retry === 'never') throw error
      return this.#sendOnce(request, url, authorization)
    }
  }

  async #sendOnce(request: RegistryRequest, url: URL, authorization: string | undefined): Promise<HttpReply> {
    const { transport, connections, userAgent } = this.#deps
    const { method, headers = {}, body, signal } = request
    const home = url.host === this.#base(this.#scheme()).host
    const agent = await (home ? connections.own(this.endpoint, url) : connections.guest(this.endpoint, url))
    const sending = transport.send({
      method,
      url,
      agent,
      headers: {
        'user-agent': userAgent,
        'accept-encoding': 'identity',
        ...headers,
        ...(authorization === undefined ? {} : { authorization }),
      },
      body: body?.(),
      signal,
    })
    return forgetting(connections, url, sending)
  }

  async #failure(subject: Subject, reply: HttpReply): Promise<Error> {
    using dropped = reply
    const { status, headers, url } = dropped
    const retryAfter = parseRetryAfter(headers['retry-after'], this.#deps.clock.now().getTime())
    const body = headers['content-type']?.includes('json') === true ? await bodyOf(dropped) : new Uint8Array()
    const attempts = status === 429 && isUsedUp(headers) ? 1 : undefined
    const answer = { status, retryAfter, attempts, ...parseErrorBody(body) }
    const challenge = parseChallenges(headers['www-authenticate']).find(({ scheme }) => scheme === 'bearer')
    // The token was good, but may not do this: Docker says "denied" then, with words of its own.
    const narrow = status === 401 && challenge?.parameters['error'] === 'insufficient_scope'
    if (status < 400) return badAnswer(url.host, `unexpected status ${status}`)
    const known = { ...subject, registry: url.host }
    return answerError(known, narrow ? { ...answer, status: 403, message: '' } : answer)
  }

  #scheme(): Scheme {
    return this.#deps.memory.scheme ?? this.endpoint.schemes[0] ?? 'https'
  }

  #base(scheme: Scheme): URL {
    return new URL(`${scheme}://${this.endpoint.host}`)
  }

  #url(scheme: Scheme, target: string): URL {
    const url = new URL(`${scheme}://${this.endpoint.host}${this.endpoint.prefix}${target}`)
    if (this.endpoint.namespace !== undefined) url.searchParams.set('ns', this.endpoint.namespace)
    return url
  }
}

/** What is read comes with 200, or with 206 where a part was asked for; what is sent is answered in several ways. */
function isSuccess({ method, headers = {}, accept = [] }: RegistryRequest, status: number): boolean {
  if (accept.includes(status)) return true
  const reading = method === 'GET' || method === 'HEAD'
  return reading ? status === 200 || (status === 206 && 'range' in headers) : status < 300
}

/** As much as can be read; a failure here would hide the one that it belongs to. */
async function bodyOf(reply: HttpReply): Promise<Uint8Array> {
  try {
    return await reply.bytes(MAX_ERROR_BODY)
  } catch {
    return new Uint8Array()
  }
}

function failedToConnect(error: unknown): boolean {
  const code = engineErrorOf(error)?.code ?? ''
  return ['REGISTRY_UNREACHABLE', 'REGISTRY_TLS', 'REGISTRY_STALLED', 'REGISTRY_CUT'].includes(code)
}
