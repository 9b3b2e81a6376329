import { EngineError, engineErrorOf } from '#base/errors.ts'

/** What a person is told whose name or password is wrong: Docker's words, with the address that was asked. */
export function refusedLogin(url: URL, error: unknown): unknown {
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
