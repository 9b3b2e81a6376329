/** Sockets against addresses; pure. */
import { isIP } from 'node:net'
import type { ListeningSocket } from '#os/proc/sockets.ts'

export interface PortAt {
  readonly protocol: string
  readonly port: number
  /** An address that is not a loopback one. */
  readonly address: string
}

/** Whether a socket serves what is sent to that address. One on `::` mostly serves IPv4 as well. */
export function listensAt(socket: ListeningSocket, { protocol, port, address }: PortAt): boolean {
  if (socket.protocol !== protocol || socket.port !== port) return false
  if (socket.address === address || socket.address === '::') return true
  return socket.address === '0.0.0.0' && isIP(address) === 4
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

export function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/.test(address)
}

export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}

/** `ADDRESS:PORT` */
export function targetText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
