import type { Duplex } from 'node:stream'

/**
 * Closes a connection once everything written to it is sent. `Socket.destroySoon()` for any stream: a connection
 * whose request body came after its head is handed over in a wrapper that has no such method.
 */
export function destroySoon(stream: Duplex): void {
  if (stream.writable) stream.end()
  if (stream.writableFinished) stream.destroy()
  else stream.once('finish', () => stream.destroy())
}
