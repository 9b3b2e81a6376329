import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Helper } from '#os/helper.ts'
import type { Caller } from '#store/requests.ts'

/**
 * Says who is at the other end of connections, once for each: on a unix socket by the kernel's word, with TLS by the
 * certificate. Never rejects.
 */
export function callers(helper: Pick<Helper, 'peer'>): (socket: Socket) => Promise<Caller> {
  const known = new WeakMap<Socket, Promise<Caller>>()
  return (socket) => {
    const caller = known.get(socket) ?? callerOf(socket, helper)
    known.set(socket, caller)
    return caller
  }
}

async function callerOf(socket: Socket, helper: Pick<Helper, 'peer'>): Promise<Caller> {
  const address = socket.remoteAddress
  if (socket instanceof TLSSocket) {
    const { CN = '' } = socket.getPeerCertificate().subject ?? {}
    return { kind: 'tls', subject: [CN].flat().join(' '), address: address ?? '' }
  }
  if (address !== undefined) return { kind: 'tcp', address }
  const fd = descriptorOf(socket)
  if (fd === undefined) return { kind: 'unknown' }
  try {
    const { pid, uid } = await helper.peer(fd)
    // Closed meanwhile, the descriptor may have been another's by then.
    if (socket.destroyed) return { kind: 'unknown' }
    const [command, user] = await Promise.all([commandOf(pid), userName(uid)])
    return { kind: 'unix', uid, pid, user, command }
  } catch {
    // An old kernel, or a helper that is going: nobody is refused for that.
    return { kind: 'unknown' }
  }
}

function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null }
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined
}

/** The program alone: its arguments may hold secrets. */
async function commandOf(pid: number): Promise<string | undefined> {
  return (await textOf(`/proc/${pid}/comm`))?.trim()
}

async function userName(uid: number): Promise<string | undefined> {
  const lines = (await textOf('/etc/passwd'))?.split('\n') ?? []
  return lines.map((line) => line.split(':')).find(([, , id]) => id === String(uid))?.[0]
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined // it is gone, which is an answer
  }
}
