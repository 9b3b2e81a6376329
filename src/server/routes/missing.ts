import { EngineError } from '#base/errors.ts'
import type { Method, Route } from '../route.ts'

/** An operation that is answered with 501 and a reason until it is built. */
export function notBuiltYet(
  operation: string,
  method: Method,
  path: string,
  message: string,
  options: { readonly greedy?: true } = {},
): Route {
  return {
    operation,
    method,
    path,
    ...options,
    missing: 'not built yet',
    handle: () => {
      throw notImplemented(message)
    },
  }
}

function notImplemented(message: string): EngineError {
  return new EngineError('not_implemented', message, { code: 'NOT_IMPLEMENTED' })
}
