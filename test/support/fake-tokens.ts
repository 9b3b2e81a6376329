/** How the registry in memory knows people: not at all, by Basic, or by tokens from its own or another service. */
import { randomUUID } from 'node:crypto'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

/** Names with their passwords. */
export type FakeAccounts = Readonly<Record<string, string>>

export type FakeAuth =
  | { readonly kind: 'basic'; readonly accounts: FakeAccounts }
  | {
      readonly kind: 'bearer'
      readonly accounts: FakeAccounts
      /** Where tokens are; `/token` of the registry itself when absent. */
      readonly realm?: string | undefined
      /** Whoever has no account may pull. */
      readonly anonymousPull?: boolean | undefined
      /** OAuth2's POST is known. */
      readonly oauth?: boolean | undefined
      /** Seconds. */
      readonly life?: number | undefined
    }

export interface TokenRequest {
  readonly method: string
  readonly scopes: readonly string[]
  readonly parameters: URLSearchParams
  readonly authorization: string | undefined
}

interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export class FakeTokens {
  readonly requests: TokenRequest[] = []
  /** Scopes by token. */
  readonly issued = new Map<string, readonly string[]>()
  /** Names by refresh token. */
  readonly refresh = new Map<string, string>()
  readonly #auth: FakeAuth | undefined
  readonly #origin: () => string

  constructor(auth: FakeAuth | undefined, origin: () => string) {
    this.#auth = auth
    this.#origin = origin
  }

  /** Answers a request for a token; false when it is none. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const auth = this.#auth
    const url = new URL(request.url ?? '', 'http://tokens')
    if (auth?.kind !== 'bearer' || url.pathname !== '/token') return false
    const body: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) body.push(chunk)
    const parameters =
      request.method === 'POST' ? new URLSearchParams(Buffer.concat(body).toString()) : url.searchParams
    const scopes = parameters.getAll('scope').flatMap((text) => text.split(' '))
    const { authorization } = request.headers
    this.requests.push({ method: request.method ?? '', scopes, parameters, authorization })
    if (request.method === 'POST' && auth.oauth !== true) return end(response, 404, {})
    const name = this.#person(parameters, authorization)
    if (name === undefined)
      return end(response, 401, {
        errors: [{ code: 'UNAUTHORIZED', message: 'incorrect username or password' }],
      })
    const granted =
      name === ''
        ? scopes.map((scope) => scope.replace(/:[^:]*$/, auth.anonymousPull ? ':pull' : ':'))
        : scopes
    const token = randomUUID()
    this.issued.set(token, granted)
    const refreshToken = randomUUID()
    const offline = parameters.has('offline_token') || parameters.get('access_type') === 'offline'
    if (offline && name !== '') this.refresh.set(refreshToken, name)
    return end(response, 200, {
      token,
      ...(auth.life === undefined ? {} : { expires_in: auth.life }),
      ...(offline ? { refresh_token: refreshToken } : {}),
    })
  }

  /** Undefined: the request may pass. */
  challenge(request: IncomingMessage): Refusal | undefined {
    const auth = this.#auth
    if (auth === undefined) return undefined
    const { authorization = '' } = request.headers
    if (auth.kind === 'basic') {
      return basicAccount(authorization, auth.accounts) === undefined
        ? refusal('Basic realm="test"')
        : undefined
    }
    const realm = auth.realm ?? `${this.#origin()}/token`
    const wanted = scopeOf(request)
    const head = `Bearer realm="${realm}",service="registry.test"${wanted === undefined ? '' : `,scope="${wanted}"`}`
    const granted = this.issued.get(authorization.replace(/^Bearer /, ''))
    if (granted === undefined) return refusal(head)
    return wanted === undefined || covers(granted, wanted)
      ? undefined
      : refusal(`${head},error="insufficient_scope"`)
  }

  /** The account, '' for nobody in particular; undefined: refused. */
  #person(parameters: URLSearchParams, authorization: string | undefined): string | undefined {
    const accounts = this.#auth?.accounts ?? {}
    if (parameters.get('grant_type') === 'refresh_token')
      return this.refresh.get(parameters.get('refresh_token') ?? '')
    if (parameters.get('grant_type') === 'password') {
      const name = parameters.get('username') ?? ''
      return accounts[name] === parameters.get('password') ? name : undefined
    }
    return authorization === undefined ? '' : basicAccount(authorization, accounts)
  }
}

/** A server of nothing but tokens, or of whatever `answer` says. */
export class FakeServer implements AsyncDisposable {
  readonly requests: IncomingMessage[] = []
  readonly #server: http.Server

  private constructor(server: http.Server) {
    this.#server = server
  }

  static async start(
    answer: (request: IncomingMessage, response: ServerResponse) => void,
    address = '127.0.0.1',
  ): Promise<FakeServer> {
    const server = http.createServer()
    const fake = new FakeServer(server)
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      fake.requests.push(request)
      answer(request, response)
    })
    server.listen(0, address)
    await once(server, 'listening')
    return fake
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

function scopeOf({ method, url = '' }: IncomingMessage): string | undefined {
  const [, name] = /^\/v2\/(.+?)\/(?:blobs|manifests|tags|referrers)\//.exec(url) ?? []
  if (name === undefined) return undefined
  return `repository:${name}:${method === 'GET' || method === 'HEAD' ? 'pull' : 'pull,push'}`
}

function covers(granted: readonly string[], wanted: string): boolean {
  const resource = wanted.slice(0, wanted.lastIndexOf(':'))
  const actions = granted
    .filter((scope) => scope.startsWith(`${resource}:`))
    .flatMap((scope) => scope.slice(resource.length + 1).split(','))
  return wanted
    .slice(resource.length + 1)
    .split(',')
    .every((action) => actions.includes(action))
}

function basicAccount(authorization: string, accounts: FakeAccounts): string | undefined {
  const [name = '', ...rest] = Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
    .toString()
    .split(':')
  return Object.hasOwn(accounts, name) && accounts[name] === rest.join(':') ? name : undefined
}

function refusal(challenge: string): Refusal {
  const body = JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] })
  return { status: 401, headers: { 'www-authenticate': challenge, 'content-type': 'application/json' }, body }
}

function end(response: ServerResponse, status: number, document: object): true {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document))
  return true
}
