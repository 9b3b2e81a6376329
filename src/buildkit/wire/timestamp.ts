import { field, int32, int64, message, type Of } from './message.ts'

/** google.protobuf.Timestamp */
export const Timestamp = message({ seconds: field(1, int64), nanos: field(2, int32) })

const THOUSAND = 1000n

/** Of an ISO 8601 text. */
export function timestampOf(text: string): Of<typeof Timestamp> {
  const milliseconds = BigInt(Date.parse(text))
  // Rounded down, so that the rest is positive before 1970 as well.
  const seconds = BigInt(Math.floor(Number(milliseconds) / 1000))
  return { seconds, nanos: Number(milliseconds - seconds * THOUSAND) * 1_000_000 }
}
