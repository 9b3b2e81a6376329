/** auth.docker.io: tokens for those with an account, and for those without. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { type HubSetup, sendJson } from './hub-setup.ts'

export interface Grant {
  /** Undefined: anybody. */
  readonly account: string | undefined
  /** Repositories that may be pulled from. */
  readonly pull: readonly string[]
}

export const CHALLENGE = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"'

export class HubTokens {
  readonly #setup: Pick<HubSetup, 'accounts' | 'repositories'>
  readonly #grants = new Map<string, Grant>()

  constructor(setup: Pick<HubSetup, 'accounts' | 'repositories'>) {
    this.#setup = setup
  }

  /** Undefined: a challenge is due. */
  grantOf({ headers }: IncomingMessage): Grant | undefined {
    return this.#grants.get(/^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '')
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://auth.docker.io')
    if (pathname !== '/token') return sendJson(response, 404, { details: 'page not found' })
    const form = request.method === 'POST' ? new URLSearchParams(await text(request)) : searchParams
    const account = this.#accountOf(request, form)
    if (account === 'wrong') {
      return sendJson(response, 401, { details: 'incorrect username or password' })
    }
    const scopes = form.getAll('scope').flatMap((scope) => scope.split(' '))
    const token = randomUUID()
    this.#grants.set(token, {
      account: account?.name,
      pull: scopes.flatMap((scope) => this.#pullable(scope)),
    })
    return sendJson(response, 200, { token, access_token: token, expires_in: 300 })
  }

  #accountOf(
    { headers }: IncomingMessage,
    form: URLSearchParams,
  ): { readonly name: string } | 'wrong' | undefined {
    const [, basic] = /^Basic (.+)$/i.exec(headers.authorization ?? '') ?? []
    const [name = '', password = ''] =
      basic === undefined
        ? [form.get('username') ?? '', form.get('password') ?? '']
        : Buffer.from(basic, 'base64').toString().split(':')
    if (name === '') return undefined
    return this.#setup.accounts[name] === password ? { name } : 'wrong'
  }

  /** Hub does not tell what does not exist from what is private: the token says nothing of either. */
  #pullable(scope: string): readonly string[] {
    const [type, name = '', actions = ''] = scope.split(':')
    const may = type === 'repository' && actions.split(',').includes('pull')
    return may && name in this.#setup.repositories ? [name] : []
  }
}
