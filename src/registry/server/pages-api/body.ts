import { EngineError } from '#base/errors.ts'
import { readWhole } from '../http/body.ts'
import type { RegistryRequest } from '../http/route.ts'
import { invalid } from './query.ts'

const MAX_BODY = 1 << 20

/** The JSON object of a request that changes something; `{}` for an empty body. */
export async function documentOf(request: RegistryRequest): Promise<Readonly<Record<string, unknown>>> {
  refuseStrangers(request)
  const bytes = await readWhole(request.body, MAX_BODY)
  if (bytes.length === 0) return {}
  let document: unknown
  try {
    document = JSON.parse(bytes.toString())
  } catch (error) {
    throw new EngineError('invalid_argument', 'the body is not JSON', {
      code: 'REGISTRY_PARAMETER_INVALID',
      cause: error,
    })
  }
  if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
    return document as Readonly<Record<string, unknown>>
  }
  throw invalid('the body must be an object')
}

/**
 * Browsers send the credentials of a site along with what pages of other sites ask of it, and say whose page it is
 * (CSRF).
 */
export function refuseStrangers({ headers, host }: RegistryRequest): void {
  const { origin } = headers
  if (origin === undefined || URL.parse(origin)?.host === host) return
  throw new EngineError('permission_denied', `pages of ${origin.slice(0, 100)} may change nothing here`, {
    code: 'REGISTRY_ORIGIN_REFUSED',
  })
}
