/** A syslog server: this machine's, or one that is reached by UDP, TCP or TLS. Options are Docker's `syslog-*`. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect as connectTcp, isIPv6, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { EngineError } from '#base/errors.ts'
import type { Datagrams } from '#os/datagrams.ts'
import { type LoggedContainer, logTag } from '../log-attributes.ts'
import type { LogConfig } from '../log-options.ts'
import { CONNECT_PATIENCE, type ForwardedRecord, type LogDestination } from './destination.ts'
import { type SyslogSender, syslogFacility, syslogFormat, syslogMessage } from './syslog-format.ts'

const SYSLOG_SOCKET = '/dev/log'
const PORT = 514
const NETWORK_PROTOCOLS = ['udp', 'tcp', 'tcp+tls']
const LOCAL_PROTOCOLS = ['unix', 'unixgram']

type SyslogAddress =
  | { readonly protocol: 'unix' | 'unixgram'; readonly path: string }
  | { readonly protocol: 'udp' | 'tcp' | 'tcp+tls'; readonly host: string; readonly port: number }

export interface SyslogPlan {
  readonly address: SyslogAddress
  readonly sender: SyslogSender
  readonly options: Readonly<Record<string, string>>
}

/** @throws EngineError invalid_argument for options that cannot be meant */
export function syslogPlan(container: LoggedContainer, { Config }: LogConfig): SyslogPlan {
  const options = Config ?? {}
  const address = parseAddress(options['syslog-address'] ?? '')
  return {
    address,
    options,
    sender: {
      format: syslogFormat(options['syslog-format'] ?? ''),
      facility: syslogFacility(options['syslog-facility'] ?? ''),
      hostname: hostname(),
      tag: logTag(container, options['tag'] || '{{.ID}}'),
      pid: process.pid,
      local: 'path' in address,
    },
  }
}

/** `udp://host:port`, `tcp://…`, `tcp+tls://…`, `unix:///path`, `unixgram:///path`; nothing: this machine's. */
function parseAddress(text: string): SyslogAddress {
  if (text === '') return { protocol: 'unixgram', path: SYSLOG_SOCKET }
  const [, protocol = '', rest = ''] = /^([a-z+]+):\/\/(.+)$/.exec(text) ?? []
  if (LOCAL_PROTOCOLS.includes(protocol)) return { protocol: protocol as 'unix', path: rest }
  const url = URL.parse(`http://${rest}`)
  if (!NETWORK_PROTOCOLS.includes(protocol) || url === null || url.hostname === '') {
    throw invalid(
      `invalid syslog address "${text}": want udp://, tcp:// or tcp+tls:// with HOST[:PORT], or unix:// with a path`,
    )
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return { protocol: protocol as 'udp', host, port: Number(url.port || PORT) }
}

/** Reaches the server. Rejects with `unavailable` when it cannot be. */
export async function openSyslog(
  plan: SyslogPlan,
  openDatagrams: (path: string) => Promise<Datagrams>,
): Promise<LogDestination> {
  const { address, sender } = plan
  const messages = (records: readonly ForwardedRecord[]) =>
    records.map((record) => syslogMessage(sender, record))
  switch (address.protocol) {
    case 'unixgram': {
      const datagrams = await openDatagrams(address.path)
      return {
        send: (records) => datagrams.send(messages(records)),
        [Symbol.asyncDispose]: () => datagrams[Symbol.asyncDispose](),
      }
    }
    case 'udp':
      return udp(address, messages)
    default:
      return streamed(await connected(plan), (records) => messages(records).map((one) => ended(one, plan)))
  }
}

function udp(
  { host, port }: Extract<SyslogAddress, { host: string }>,
  messages: (records: readonly ForwardedRecord[]) => Buffer[],
): LogDestination {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  socket.on('error', () => undefined) // told to who sends
  const send = promisify((message: Buffer, done: (error: Error | null) => void) =>
    socket.send(message, port, host, done),
  )
  return {
    async send(records) {
      for (const message of messages(records)) await send(message)
    },
    async [Symbol.asyncDispose]() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

function streamed(
  socket: Socket,
  messages: (records: readonly ForwardedRecord[]) => Buffer[],
): LogDestination {
  let failure: Error | undefined
  socket.on('error', (error) => (failure = error))
  // A server that says anything, or its end, would be noticed only by reading.
  socket.resume()
  return {
    async send(records, { signal }) {
      if (socket.destroyed || socket.readableEnded) throw unreachable(failure?.message ?? 'it hung up')
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const abort = (): void => reject(signal?.reason as Error)
      signal?.addEventListener('abort', abort, { once: true })
      socket.write(Buffer.concat(messages(records)), (error) => {
        if (error === undefined || error === null) resolve()
        else reject(error)
      })
      await promise.finally(() => signal?.removeEventListener('abort', abort))
    },
    async [Symbol.asyncDispose]() {
      if (socket.destroyed) return
      socket.end()
      const gone = once(socket, 'close')
      socket.setTimeout(CONNECT_PATIENCE, () => socket.destroy())
      await gone
    },
  }
}

/** By TLS a length goes before a message (RFC 5425 §4.3), elsewhere a newline ends it. */
function ended(message: Buffer, { address, sender }: SyslogPlan): Buffer {
  const counted = address.protocol === 'tcp+tls' && sender.format.startsWith('rfc5424')
  return counted
    ? Buffer.concat([Buffer.from(`${message.length} `), message])
    : Buffer.concat([message, Buffer.from('\n')])
}

async function connected({ address, options }: SyslogPlan): Promise<Socket> {
  const socket = 'path' in address ? connectTcp({ path: address.path }) : await dial(address, options)
  const signal = AbortSignal.timeout(CONNECT_PATIENCE)
  try {
    await once(socket, address.protocol === 'tcp+tls' ? 'secureConnect' : 'connect', { signal })
    return socket
  } catch (error) {
    socket.on('error', () => undefined)
    socket.destroy()
    throw unreachable(signal.aborted ? `no answer within ${CONNECT_PATIENCE / 1000} s` : String(error), error)
  }
}

async function dial(
  { protocol, host, port }: Extract<SyslogAddress, { host: string }>,
  options: SyslogPlan['options'],
): Promise<Socket> {
  if (protocol !== 'tcp+tls') return connectTcp({ host, port })
  const read = async (name: string) => (options[name] ? readFile(options[name]) : undefined)
  const [ca, cert, key] = await Promise.all(
    ['ca-cert', 'cert', 'key'].map((name) => read(`syslog-tls-${name}`)),
  )
  return connectTls({
    host,
    port,
    ca,
    cert,
    key,
    // As in Docker, any value asks for it.
    rejectUnauthorized: !options['syslog-tls-skip-verify'],
    ...(isIPv6(host) ? {} : { servername: host }),
  })
}

function unreachable(why: string, cause?: unknown): EngineError {
  return new EngineError('unavailable', `the syslog server cannot be reached: ${why}`, {
    code: 'LOG_DESTINATION_UNREACHABLE',
    cause,
  })
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'LOG_OPTION_INVALID' })
}
