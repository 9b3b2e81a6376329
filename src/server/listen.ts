import { chmod, chown, lstat, mkdtemp, rename, rm, unlink } from 'node:fs/promises'
import { connect, isIP, type ListenOptions, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { EngineError, isErrno } from '#base/errors.ts'

/** A unix socket; `gid` is its group, which may connect. */
interface UnixAddress {
  readonly kind: 'unix'
  readonly path: string
  readonly gid?: number | undefined
}

interface TcpAddress {
  readonly kind: 'tcp'
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

/** A listening descriptor that was passed in, as by systemd. */
interface DescriptorAddress {
  readonly kind: 'fd'
  readonly fd: number
}

export type Address = UnixAddress | TcpAddress | DescriptorAddress

export interface Bound {
  /** As a client writes it: `unix:///run/berth.sock`, `tcp://127.0.0.1:2375`. */
  readonly address: string
  /** Removes the socket file if it is still ours. */
  release(): Promise<void>
}

const SOCKET_MODE = 0o660

/** Starts listening. @throws EngineError conflict when somebody serves that address */
export async function listen(server: Server, address: Address): Promise<Bound> {
  switch (address.kind) {
    case 'unix':
      return listenUnix(server, address)
    case 'tcp':
      return listenTcp(server, address)
    case 'fd':
      await started(server, { fd: address.fd })
      return { address: `fd://${address.fd}`, release: () => Promise.resolve() }
  }
}

/** True for an address that only this machine reaches. A name other than localhost may resolve to anything. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}

async function listenTcp(server: Server, { host, port }: TcpAddress): Promise<Bound> {
  await started(server, { host, port })
  const bound = server.address()
  const actual = typeof bound === 'object' && bound !== null ? bound.port : port
  const shown = isIP(host) === 6 ? `[${host}]` : host
  return { address: `tcp://${shown}:${actual}`, release: () => Promise.resolve() }
}

/**
 * The socket is made in a directory of its own, given its mode and group there, and then moved over whatever
 * is left of an earlier run: nobody can connect before the permissions are right, and the path never vanishes.
 */
async function listenUnix(server: Server, { path, gid }: UnixAddress): Promise<Bound> {
  await refuseLive(path)
  const nest = await mkdtemp(join(dirname(path), '.b'))
  try {
    const made = join(nest, 's')
    await started(server, { path: made })
    await chmod(made, SOCKET_MODE)
    if (gid !== undefined) await chown(made, 0, gid)
    const { ino } = await lstat(made)
    await rename(made, path)
    return { address: `unix://${path}`, release: () => removeIfOurs(path, ino) }
  } finally {
    await rm(nest, { recursive: true })
  }
}

async function refuseLive(path: string): Promise<void> {
  try {
    const found = await lstat(path)
    if (!found.isSocket()) throw taken(path, 'it exists and is not a socket')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return
    throw error
  }
  if (await answers(path)) throw taken(path, 'another engine serves it')
}

async function answers(path: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const probe = connect({ path })
  probe.once('connect', () => resolve(true))
  probe.once('error', (error) => {
    if (isErrno(error, 'ECONNREFUSED', 'ENOENT')) resolve(false)
    else reject(error)
  })
  try {
    return await promise
  } finally {
    probe.destroy()
  }
}

async function removeIfOurs(path: string, ino: number): Promise<void> {
  try {
    const found = await lstat(path)
    if (found.ino === ino) await unlink(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

async function started(server: Server, options: ListenOptions | { readonly fd: number }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(options, resolve)
  await promise.finally(() => server.off('error', reject))
}

function taken(path: string, why: string): EngineError {
  return new EngineError('conflict', `cannot listen on ${path}: ${why}`, { code: 'ADDRESS_IN_USE' })
}
