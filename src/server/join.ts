import type { Duplex } from 'node:stream'
import { destroySoon } from './destroy-soon.ts'

/** How long a client may take to close its side once it has been sent all of the output. */
const LINGER_MS = 2_000
/** How long a client may take nothing of what is left at the end of the output. */
const STALLED_MS = 60_000

/**
 * Joins a client's connection with the engine's stream, each direction ending for itself: the client's
 * half-close ends stdin while output goes on, and the end of output closes the connection once it is sent.
 * The signal closes it too. Resolves when the connection is closed; never rejects.
 */
export async function join(
  socket: Duplex,
  stream: Duplex,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  let linger: NodeJS.Timeout | undefined
  let progress: NodeJS.Timeout | undefined
  const onAbort = (): void => destroySoon(socket)

  socket.once('close', () => {
    clearTimeout(linger)
    clearInterval(progress)
    options.signal?.removeEventListener('abort', onAbort)
    stream.destroy()
    resolve()
  })
  socket.on('error', () => socket.destroy())
  stream.on('error', () => destroySoon(socket))
  stream.once('close', () => {
    if (!stream.readableEnded) destroySoon(socket)
  })
  stream.once('end', () => {
    // Input that nobody takes any more is read and dropped, or closing would reset the connection.
    socket.unpipe(stream)
    socket.resume()
    progress = destroyWhenStalled(socket)
  })
  socket.once('finish', () => {
    clearInterval(progress)
    linger = setTimeout(() => socket.destroy(), LINGER_MS)
  })
  if (socket.destroyed) {
    stream.destroy()
    return
  }

  options.signal?.addEventListener('abort', onAbort, { once: true })
  if (options.signal?.aborted === true) onAbort()
  socket.pipe(stream)
  stream.pipe(socket)
  await closed
}

function destroyWhenStalled(socket: Duplex): NodeJS.Timeout {
  let left = socket.writableLength
  return setInterval(() => {
    if (socket.writableLength === left) socket.destroy()
    left = socket.writableLength
  }, STALLED_MS)
}
