import { EngineError } from '#base/errors.ts'
import { decodeBytes } from './entry.ts'

/** A malformed or hostile archive; `name` is a byte string, empty when the member has none yet. */
export function invalidTar(
  name: string,
  reason: string,
  details: Readonly<Record<string, unknown>> = {},
): EngineError {
  const entry = printable(name)
  return new EngineError(
    'invalid_argument',
    `invalid tar archive: ${entry === '' ? '' : `${entry}: `}${reason}`,
    {
      code: 'TAR_INVALID',
      details: { ...details, entry },
    },
  )
}

/** A name fit for a message: decoded where possible, on one line, not too long. */
export function printable(name: string): string {
  const text = decodeBytes(name).toWellFormed()
  const short = text.length > 200 ? `${text.slice(0, 200)}…` : text
  // oxlint-disable-next-line no-control-regex -- control characters must not reach a terminal
  return /[\0-\x1f\x7f-\x9f]/.test(short) ? JSON.stringify(short) : short
}
