import { readFile, readdir, readlink } from 'node:fs/promises'
import { isErrno } from '#base/errors.ts'

/** A socket that waits for others: a TCP or SCTP listener, or an unconnected UDP socket. */
export interface ListeningSocket {
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  /** `0.0.0.0` and `::` stand for every address; a socket on `::` mostly serves IPv4 as well. */
  readonly address: string
  readonly port: number
  readonly inode: string
}

/** TCP_LISTEN, and for UDP TCP_CLOSE, in the numbers of /proc. */
const WAITING = { tcp: '0A', udp: '07' } as const

/** What listens in the network namespace of a process; nothing when that is gone. */
export async function listeningSockets(pid: number | 'self'): Promise<readonly ListeningSocket[]> {
  const tables = await Promise.all(
    (['tcp', 'udp'] as const).flatMap((protocol) =>
      [protocol, `${protocol}6`].map(async (name) =>
        parseSockets(await readTable(`/proc/${pid}/net/${name}`), protocol),
      ),
    ),
  )
  return [...tables.flat(), ...parseSctp(await readTable(`/proc/${pid}/net/sctp/eps`))]
}

/** A process that has a socket open, and what it is called; undefined when nobody (any more) has. */
export async function processWithSocket(
  inode: string,
): Promise<{ readonly pid: number; readonly name: string } | undefined> {
  const wanted = `socket:[${inode}]`
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  for (const pid of pids) {
    if (!(await openFiles(pid)).includes(wanted)) continue
    return { pid: Number(pid), name: (await readTable(`/proc/${pid}/comm`)).trim() }
  }
  return undefined
}

/** Inodes of the sockets that a process has open. */
export async function socketsOf(pid: number): Promise<ReadonlySet<string>> {
  const links = await openFiles(String(pid))
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []))
}

/** /proc/net/{tcp,udp} and their IPv6 twins: the listening ones. */
export function parseSockets(text: string, protocol: 'tcp' | 'udp'): ListeningSocket[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
      if (state !== WAITING[protocol]) return []
      const [address = '', port = ''] = local.split(':')
      return [{ protocol, address: addressOf(address), port: Number.parseInt(port, 16), inode }]
    })
}

/** /proc/net/sctp/eps. */
function parseSctp(text: string): ListeningSocket[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, , , , , port = '', , inode = '', ...addresses] = line.trim().split(/\s+/)
      return addresses.map((address) => ({
        protocol: 'sctp' as const,
        address: address.replace(/^\*/, ''),
        port: Number(port),
        inode,
      }))
    })
}

/** Words of 32 bits in the machine's order, which is little-endian wherever this runs. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).toReversed())
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => `${bytes[2 * i]}${bytes[2 * i + 1]}`)
  const mapped = groups.slice(0, 5).every((group) => group === '0000') && groups[5]?.toUpperCase() === 'FFFF'
  if (mapped) return addressOf(hex.slice(24))
  const { hostname } = new URL(`http://[${groups.join(':')}]`)
  return hostname.slice(1, -1)
}

async function openFiles(pid: string): Promise<string[]> {
  const directory = `/proc/${pid}/fd`
  const names = await unlessGone(() => readdir(directory), [])
  return Promise.all(names.map((name) => unlessGone(() => readlink(`${directory}/${name}`), '')))
}

async function readTable(path: string): Promise<string> {
  return unlessGone(() => readFile(path, 'utf8'), '')
}

/** Processes end, and close files, while they are looked at; a kernel may lack a protocol. */
async function unlessGone<T>(look: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await look()
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EINVAL', 'EACCES', 'ENOTDIR')) return otherwise
    throw error
  }
}
