import { EngineError, engineErrorOf, type ErrorKind, messageOf } from '#base/errors.ts'
import { bytes, field, int32, message, type Of, repeated, string } from '../wire/message.ts'

/** google.protobuf.Any */
const Any = message({ typeUrl: field(1, string), value: field(2, bytes) })

/** google.rpc.Status: a failure as it travels. */
export const RpcStatus = message({
  code: field(1, int32),
  message: field(2, string),
  details: repeated(3, Any.codec),
})
export type RpcStatus = Of<typeof RpcStatus>

export const CANCELLED = 1
export const UNKNOWN = 2

/** The one place where a failure becomes a code of gRPC, and back. */
const codes: Readonly<Record<ErrorKind, number>> = {
  cancelled: CANCELLED,
  internal: UNKNOWN,
  invalid_argument: 3,
  not_found: 5,
  conflict: 6, // ALREADY_EXISTS
  permission_denied: 7,
  resource_exhausted: 8,
  not_implemented: 12,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
}

const kinds: ReadonlyMap<number, ErrorKind> = new Map([
  ...Object.entries(codes).map(([kind, code]) => [code, kind as ErrorKind] as const),
  [4, 'unavailable'], // DEADLINE_EXCEEDED
  [9, 'conflict'], // FAILED_PRECONDITION
  [10, 'conflict'], // ABORTED
  [11, 'invalid_argument'], // OUT_OF_RANGE
])

const CARRIED = 'rpcStatus'

/** What the other side is told of a failure. */
export function statusOf(error: unknown): RpcStatus {
  const known = engineErrorOf(error)
  const carried = known?.details[CARRIED]
  if (carried !== undefined) return carried as RpcStatus
  return { code: codes[known?.kind ?? 'internal'], message: known?.message ?? messageOf(error), details: [] }
}

/** A failure that the other side has told us of, or is to be told; told again, it is the same. */
export function errorOf(status: RpcStatus, cause?: unknown): EngineError {
  const kind = engineErrorOf(cause)?.kind ?? kinds.get(status.code) ?? 'internal'
  return new EngineError(kind, status.message, {
    code: 'GRPC_STATUS',
    cause,
    details: { [CARRIED]: status },
  })
}
