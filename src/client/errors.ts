import { EngineError, isErrno, type ErrorKind } from '#base/errors.ts'
import { addressOf, type Endpoint } from './endpoint.ts'

/** Code of every error whose message was written by the server. */
export const DAEMON_ERROR = 'DAEMON_ERROR'

const kinds: Readonly<Record<number, ErrorKind>> = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  409: 'conflict',
  429: 'resource_exhausted',
  499: 'cancelled',
  501: 'not_implemented',
  503: 'unavailable',
}

/** An error response: the server's own words, and the kind that its status stands for. */
export function daemonError(status: number, body: string, path: string): EngineError {
  return new EngineError(kinds[status] ?? 'internal', messageIn(body, status, path), {
    code: DAEMON_ERROR,
    details: { status, path },
  })
}

/** What to say when the connection itself failed. */
export function connectionError(endpoint: Endpoint, cause: unknown): EngineError {
  // Whoever dialled has said what is wrong.
  if (cause instanceof EngineError) return cause
  const address = addressOf(endpoint)
  if (isErrno(cause, 'EACCES', 'EPERM')) {
    return new EngineError(
      'permission_denied',
      `permission denied while trying to connect to the berth daemon socket at ${address}; run as root or join the group that owns the socket`,
      { code: 'DAEMON_PERMISSION', cause },
    )
  }
  if (isErrno(cause, 'ENOENT', 'ECONNREFUSED', 'ENOTSOCK')) {
    return new EngineError(
      'unavailable',
      `Cannot connect to the berth daemon at ${address}. Is the daemon running?`,
      { code: 'DAEMON_UNREACHABLE', cause },
    )
  }
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new EngineError('unavailable', `error during connect: ${address}: ${reason}`, {
    code: 'DAEMON_CONNECTION',
    cause,
  })
}

/** True when nobody listens at the endpoint, so that nothing can have happened yet. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof EngineError && error.code === 'DAEMON_UNREACHABLE'
}

function messageIn(body: string, status: number, path: string): string {
  const text = body.trim()
  if (text === '') {
    return `request returned status ${status} for ${path}, check if the server supports the requested API version`
  }
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message)
    return text
  } catch (error) {
    if (error instanceof SyntaxError) return text
    throw error
  }
}
