import { once } from 'node:events'
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { createSecureContext } from 'node:tls'
import { EngineError, type ErrorKind, messageOf } from '#base/errors.ts'
import { machineAuthorities } from '#registry/client/certificates.ts'
import { type Environment, proxyFor } from '#registry/client/proxy.ts'

export interface HttpGetOptions {
  readonly signal?: AbortSignal | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Goes to the host of the address alone, not to where it redirects. */
  readonly authorization?: string | undefined
  /** Where proxies are named. */
  readonly environment: Environment
  /** Milliseconds that a server may be silent; a minute by default. */
  readonly patience?: number | undefined
}

export interface HttpAnswer extends Disposable {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** To be read once; `unavailable` when it ends early or is silent for too long. */
  readonly bytes: AsyncIterable<Uint8Array>
}

const MAX_REDIRECTS = 10
const PATIENCE = 60_000
/** Of what a server says about a failure. */
const MAX_REASON = 512

/**
 * Asks a web server. As in Docker it is the engine that does, from its own place in the network, so whoever may build may
 * make it ask any host it reaches. It sends no credentials but those it is given. Answers other than 200 and 304 are
 * errors that name address and status.
 */
export async function httpGet(address: string, options: HttpGetOptions): Promise<HttpAnswer> {
  const first = parseAddress(address)
  let url = first
  for (let redirects = 0; ; redirects++) {
    const response = await ask(url, first, options)
    const status = response.statusCode ?? 0
    if (status === 200 || status === 304) return answerOf(response, first, options)
    const target = status >= 300 && status < 400 ? response.headers.location : undefined
    if (target === undefined) throw await refusal(first, response)
    response.destroy()
    if (redirects === MAX_REDIRECTS) throw invalid(`GET ${first.href}: more than ${MAX_REDIRECTS} redirects`)
    const next = parseAddress(URL.parse(target, url)?.href ?? target)
    if (url.protocol === 'https:' && next.protocol !== 'https:') {
      throw invalid(`GET ${first.href}: redirected from https to ${next.href}`)
    }
    url = next
  }
}

function parseAddress(address: string): URL {
  const url = URL.parse(address)
  if (url === null) throw invalid(`invalid address ${JSON.stringify(address)}`)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(`cannot fetch ${address}: only http and https addresses are fetched`)
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      'an address with a password would end up in logs and histories: use the secret HTTP_AUTH_HEADER_<host>',
    )
  }
  url.hash = ''
  return url
}

async function ask(url: URL, first: URL, options: HttpGetOptions): Promise<IncomingMessage> {
  const { signal, patience = PATIENCE } = options
  signal?.throwIfAborted()
  const secure = url.protocol === 'https:'
  const { authorization } = options
  const request = (secure ? https : http).request(url, {
    agent: agentFor(url, options.environment),
    headers: {
      'accept-encoding': 'identity',
      'user-agent': 'berth',
      ...options.headers,
      ...(authorization !== undefined && url.origin === first.origin ? { authorization } : {}),
    },
    signal,
    timeout: patience,
  })
  let response: IncomingMessage | undefined
  request.on('timeout', () => (response ?? request).destroy(silent(first, patience)))
  // After the answer has begun it is the reader of the answer who is told.
  request.on('error', () => undefined)
  try {
    request.end()
    ;[response] = (await once(request, 'response')) as [IncomingMessage]
    return response
  } catch (error) {
    signal?.throwIfAborted()
    throw explained(first, error)
  }
}

/** For one request: builds seldom ask the same server twice. */
function agentFor(url: URL, environment: Environment): http.Agent {
  const proxy = proxyFor(environment, url)
  const options = proxy === undefined ? {} : { proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } }
  if (url.protocol === 'http:') return new http.Agent(options)
  const secureContext = createSecureContext({ ca: [...machineAuthorities()], minVersion: 'TLSv1.2' })
  return new https.Agent({ ...options, secureContext })
}

function answerOf(response: IncomingMessage, first: URL, { signal }: HttpGetOptions): HttpAnswer {
  // A body may fail, or be given up, before anybody reads it; who reads it is told.
  response.on('error', () => undefined)
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      yield* response as AsyncIterable<Uint8Array>
    } catch (error) {
      signal?.throwIfAborted()
      throw explained(first, error)
    } finally {
      response.destroy()
    }
    if (!response.complete) throw failed('unavailable', `cannot fetch ${first.href}: it was cut off`)
  }
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    bytes: bytes(),
    [Symbol.dispose]: () => response.destroy(),
  }
}

async function refusal(url: URL, response: IncomingMessage): Promise<EngineError> {
  const { statusCode: status = 0, statusMessage = '' } = response
  const kind: ErrorKind =
    status === 404 ? 'not_found' : status === 401 || status === 403 ? 'permission_denied' : 'unavailable'
  let said = ''
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      said += chunk.toString('latin1')
      if (said.length >= MAX_REASON) break
    }
  } catch (error) {
    said += ` (${messageOf(error)})`
  }
  const reason = said
    .slice(0, MAX_REASON)
    .replaceAll(/[^\x21-\x7e]+/g, ' ')
    .trim()
  const colon = reason === '' ? '' : `: ${reason}`
  return failed(kind, `failed to GET ${url.href} with status ${status} ${statusMessage}${colon}`)
}

function explained(url: URL, error: unknown): EngineError {
  if (error instanceof EngineError) return error
  return failed('unavailable', `cannot fetch ${url.href}: ${messageOf(error)}`, error)
}

function silent(url: URL, patience: number): EngineError {
  return failed('unavailable', `cannot fetch ${url.href}: the server has been silent for ${patience} ms`)
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'DOWNLOAD_ADDRESS_INVALID' })
}

function failed(kind: ErrorKind, message: string, cause?: unknown): EngineError {
  return new EngineError(kind, message, {
    code: 'DOWNLOAD_FAILED',
    ...(cause === undefined ? {} : { cause }),
  })
}
