import type { Http2Session } from 'node:http2'
import type { Duplex } from 'node:stream'

/**
 * Destroys a session of HTTP/2, after this turn of the event loop: what had come before it was made is given to it in the next tick,
 * and Node fails, beyond anybody's reach, when it is gone by then.
 */
export function endSession(session: Http2Session): void {
  setImmediate(() => session.destroy())
}

/** The session ends with its connection: half of one, which these connections could be, is of no use to HTTP/2. Node leaves that open. */
export function endWith(connection: Duplex, session: Http2Session): void {
  const end = (): void => endSession(session)
  connection.once('end', end).once('close', end)
  if (connection.destroyed || connection.readableEnded) end()
}
