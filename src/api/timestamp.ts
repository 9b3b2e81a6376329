import { EngineError } from '#base/errors.ts'

const SECONDS = /^(-?)(\d{1,12})(?:\.(\d{1,9})\d*)?$/
const NANOSECONDS_PER_SECOND = 1_000_000_000n

/**
 * Nanoseconds since the epoch from Unix seconds with an optional fraction; `undefined` for nothing or zero,
 * which is how clients say "not set".
 */
export function parseTimestamp(text: string | undefined, name: string): bigint | undefined {
  if (text === undefined || text === '') return undefined
  const match = SECONDS.exec(text)
  if (match === null) {
    throw new EngineError(
      'invalid_argument',
      `invalid ${name} ${JSON.stringify(text)}: want seconds since 1970, such as 1700000000.5`,
      { code: 'TIMESTAMP_INVALID' },
    )
  }
  const [, sign, seconds = '0', fraction = ''] = match
  const size = BigInt(seconds) * NANOSECONDS_PER_SECOND + BigInt(fraction.padEnd(9, '0'))
  if (size === 0n) return undefined
  return sign === '-' ? -size : size
}
