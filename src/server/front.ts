import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** Stands for an Upgrade header that the client did not send. */
export const implicitUpgrade = 'berth-raw'

export interface FrontOptions {
  /** True for a path whose connection may be taken over. */
  readonly takesOver: (path: string) => boolean
  /** For the first head to arrive, in milliseconds. */
  readonly headTimeout: number
  readonly maxHeadSize: number
}

/**
 * Looks at the first request of each connection before the HTTP parser gets it. Old clients attach without an
 * Upgrade header; once the parser has such a connection it would read stdin as the next request. They are given
 * the header here, and then take the same way as everybody else. Who names a protocol alone is given the other header.
 */
export function inspectFirstRequest(
  server: Server,
  event: 'connection' | 'secureConnection',
  options: FrontOptions,
): void {
  const listeners = server.listeners(event) as ((socket: Socket) => void)[]
  server.removeAllListeners(event)
  server.on(event, (socket: Socket) =>
    firstBytes(socket, options, (bytes) => {
      socket.unshift(withUpgrade(bytes, options))
      for (const listener of listeners) listener.call(server, socket)
    }),
  )
}

/** Calls back with what is needed to decide; never when the client closes before. */
function firstBytes(socket: Socket, options: FrontOptions, done: (bytes: Buffer) => void): void {
  let bytes: Buffer = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), options.headTimeout)
  const onEnd = (): void => void socket.destroy()
  const onClose = (): void => clearTimeout(timer)
  const onReadable = (): void => {
    for (let chunk = read(socket); chunk !== null; chunk = read(socket)) {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
    }
    if (bytes.length > 0 && isDecided(bytes, options.maxHeadSize)) finish()
  }
  const finish = (): void => {
    clearTimeout(timer)
    socket.off('readable', onReadable).off('end', onEnd).off('error', onEnd).off('close', onClose)
    done(bytes)
  }
  socket.on('readable', onReadable).on('end', onEnd).on('error', onEnd).on('close', onClose)
}

function read(socket: Socket): Buffer | null {
  return socket.read() as Buffer | null
}

const POST = 'POST '

/** Only the head of a POST has to be complete. */
function isDecided(bytes: Buffer, maxHeadSize: number): boolean {
  const start = bytes.toString('latin1', 0, POST.length)
  if (!POST.startsWith(start) && !start.startsWith(POST)) return true
  return bytes.length > maxHeadSize || bytes.includes('\r\n\r\n')
}

function withUpgrade(bytes: Buffer, { takesOver }: FrontOptions): Buffer {
  const end = bytes.indexOf('\r\n\r\n')
  const head = end === -1 ? '' : bytes.toString('latin1', 0, end + 2)
  const url = /^POST (\S+) HTTP\/1\.1\r\n/.exec(head)?.[1]
  if (url === undefined || !takesOver(url)) return bytes
  if (/\r\n(?:transfer-encoding|expect)[ \t]*:/i.test(head)) return bytes
  const names = /\r\nupgrade[ \t]*:/i.test(head)
  if (names && /\r\nconnection[ \t]*:[^\r]*\bupgrade\b/i.test(head)) return bytes
  const added = `Connection: Upgrade\r\n${names ? '' : `Upgrade: ${implicitUpgrade}\r\n`}`
  return Buffer.concat([bytes.subarray(0, end + 2), Buffer.from(added), bytes.subarray(end + 2)])
}
