import { once } from 'node:events'
import { chmod, chown } from 'node:fs/promises'
import { type Server, createServer } from 'node:net'
import type { Duplex } from 'node:stream'

export interface SocketOwner {
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/**
 * A socket at `path` that leads to what `dial` connects to, with owner and mode of its own, so that a step which is not root can use
 * the agent of whoever builds. Disposing it closes all connections.
 */
export async function forwardSocket(
  path: string,
  dial: () => Duplex,
  { mode, uid, gid }: SocketOwner,
): Promise<AsyncDisposable> {
  const open = new Set<Duplex>()
  const keep = (socket: Duplex): void => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  }
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = dial()
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      keep(from)
      // One end that breaks is the end of both.
      from.once('error', () => to.destroy())
      from.once('close', () => to.end())
      from.pipe(to)
    }
  })
  server.listen(path)
  await once(server, 'listening')
  await chown(path, uid, gid)
  await chmod(path, mode & 0o7777)
  return { [Symbol.asyncDispose]: () => closed(server, open) }
}

async function closed(server: Server, open: ReadonlySet<Duplex>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  for (const socket of open) socket.destroy()
  await promise
}
