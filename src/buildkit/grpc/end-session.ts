import type { Http2Session } from 'node:http2'

/**
 * Destroys a session of HTTP/2, after this turn of the event loop: what had come before it was made is given to it in the next tick,
 * and Node fails, beyond anybody's reach, when it is gone by then.
 */
export function endSession(session: Http2Session): void {
  setImmediate(() => session.destroy())
}
