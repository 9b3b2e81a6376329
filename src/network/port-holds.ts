/**
 * A socket per published port, for two reasons: nobody else on the host can take the port, and what the kernel's
 * address translation does not cover is forwarded here. That is IPv6 to a container that has only IPv4, `[::1]`
 * (the kernel cannot translate it), and everything while somebody has flushed the firewall. All other traffic
 * is translated before it could reach these sockets. They die with the daemon and are made again by the next one.
 */
import type { Socket as DatagramSocket } from 'node:dgram'
import { createSocket } from 'node:dgram'
import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { pipeline } from 'node:stream'
import type { Protocol } from './networks.ts'

export interface HoldRequest {
  readonly protocol: Protocol
  readonly hostIp: string
  readonly hostPort: number
  /** Where connections that arrive here go. */
  readonly ip: string
  readonly port: number
}

export interface PortHolds {
  /** Binds the port; rejects with Node's system error (`EADDRINUSE`, `EADDRNOTAVAIL`) when that is impossible. */
  hold(request: HoldRequest): Promise<AsyncDisposable>
}

export class SocketPortHolds implements PortHolds {
  async hold(request: HoldRequest): Promise<AsyncDisposable> {
    switch (request.protocol) {
      case 'tcp':
        return holdTcp(request)
      case 'udp':
        return holdUdp(request)
      case 'sctp':
        // Node has no SCTP; the firewall alone forwards it.
        return { [Symbol.asyncDispose]: () => Promise.resolve() }
    }
  }
}

async function holdTcp({ hostIp, hostPort, ip, port }: HoldRequest): Promise<AsyncDisposable> {
  const open = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ host: ip, port, allowHalfOpen: true })
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.unref()
      socket.once('close', () => open.delete(socket))
    }
    // Each side's end or failure reaches the other through the pipelines; there is nobody to tell about it.
    pipeline(client, upstream, () => undefined)
    pipeline(upstream, client, () => undefined)
  })
  await listening(server, (done) =>
    server.listen({ host: hostIp, port: hostPort, ipv6Only: hostIp.includes(':'), exclusive: true }, done),
  )
  return {
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      for (const socket of open) socket.destroy()
      await closed.promise
    },
  }
}

/** How long a UDP client is remembered after its last packet, in ms. */
const UDP_IDLE = 60_000
/** Clients of one port at a time; further ones are not answered. */
const UDP_CLIENTS = 1024

async function holdUdp({ hostIp, hostPort, ip, port }: HoldRequest): Promise<AsyncDisposable> {
  const clients = new Map<string, { readonly socket: DatagramSocket; readonly idle: NodeJS.Timeout }>()
  const server = createSocket({ type: udpType(hostIp), ipv6Only: hostIp.includes(':') })

  const clientFor = (address: string, remotePort: number): DatagramSocket | undefined => {
    const key = `${address} ${remotePort}`
    const known = clients.get(key)
    if (known !== undefined) {
      known.idle.refresh()
      return known.socket
    }
    if (clients.size >= UDP_CLIENTS) return undefined
    const socket = createSocket(udpType(ip)).unref()
    const forget = (): void => {
      clearTimeout(clients.get(key)?.idle)
      if (clients.delete(key)) socket.close()
    }
    clients.set(key, { socket, idle: setTimeout(forget, UDP_IDLE).unref() })
    socket.on('message', (reply) => server.send(reply, remotePort, address))
    socket.on('error', forget)
    return socket
  }

  server.on('message', (message, { address, port: remotePort }) => {
    clientFor(address, remotePort)?.send(message, port, ip)
  })
  await listening(server, (done) => server.bind({ address: hostIp, port: hostPort, exclusive: true }, done))
  return {
    async [Symbol.asyncDispose]() {
      for (const { socket, idle } of clients.values()) {
        clearTimeout(idle)
        socket.close()
      }
      clients.clear()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}

/**
 * Starts the socket, which does not keep the process alive. An error after that costs one connection or datagram, not
 * the daemon.
 */
async function listening(server: Server | DatagramSocket, start: (done: () => void) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.on('error', reject)
  start(resolve)
  try {
    await promise
    server.unref()
  } catch (error) {
    if ('bind' in server) server.close()
    throw error
  }
}

function udpType(address: string): 'udp4' | 'udp6' {
  return address.includes(':') ? 'udp6' : 'udp4'
}
