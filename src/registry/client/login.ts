import { EngineError, engineErrorOf } from '#base/errors.ts'
import type { Authorizer } from './authorizer.ts'
import type { RegistryExchange } from './exchange.ts'
import type { RequestOptions } from './repository.ts'

/** Asks `GET /v2/` as the person; distribution-spec end-1. `identityToken` where the token service gives one. */
export async function login(
  exchange: RegistryExchange,
  authorizer: Authorizer,
  { signal }: RequestOptions,
): Promise<{ readonly identityToken: string | undefined }> {
  try {
    await ask(exchange, signal)
    return { identityToken: await authorizer.login(signal) }
  } catch (error) {
    throw refusedLogin(exchange.address('/v2/'), error)
  }
}

async function ask(exchange: RegistryExchange, signal: AbortSignal | undefined): Promise<void> {
  const { registry, host } = exchange.endpoint
  using reply = await exchange.send({
    method: 'GET',
    target: '/v2/',
    scopes: [],
    accept: [404],
    retry: 'status',
    subject: { registry, action: 'login' },
    signal,
  })
  if (reply.status === 404) {
    throw new EngineError(
      'not_found',
      `login attempt to ${reply.url.origin}/v2/ failed: ${host} is no registry`,
      {
        code: 'REGISTRY_NOT_FOUND',
      },
    )
  }
}

/** What a person is told whose name or password is wrong: Docker's words, with the address that was asked. */
function refusedLogin(url: URL, error: unknown): unknown {
  const known = engineErrorOf(error)
  if (known?.kind !== 'unauthenticated') return error
  // Whoever has just given a password is not helped by hearing that one is needed.
  const why = known.message.replace(/^unauthorized: authentication required$/, WRONG)
  return new EngineError('unauthenticated', `Get "${url.href}": ${why}`, {
    code: known.code,
    details: known.details,
    cause: error,
  })
}

const WRONG = 'unauthorized: incorrect username or password'
