/** DNS messages and an upstream for tests: written from RFC 1035 and 6891, apart from the resolver under test. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

export const TYPES = { A: 1, NS: 2, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, ANY: 255 } as const
export type TypeName = keyof typeof TYPES

export interface QueryOptions {
  readonly id?: number
  readonly type?: TypeName
  readonly class?: number
  /** With an OPT record that takes so many bytes. */
  readonly edns?: number
  readonly ednsVersion?: number
}

export function encodeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '')
  const parts = labels.flatMap((label) => [Buffer.from([Buffer.byteLength(label)]), Buffer.from(label)])
  return Buffer.concat([...parts, Buffer.from([0])])
}

export function encodeQuery(name: string, options: QueryOptions = {}): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt16BE(options.id ?? 0x1234, 0)
  header.writeUInt16BE(0x0100, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(options.edns === undefined ? 0 : 1, 10)
  const question = Buffer.alloc(4)
  question.writeUInt16BE(TYPES[options.type ?? 'A'], 0)
  question.writeUInt16BE(options.class ?? 1, 2)
  const opt = Buffer.alloc(options.edns === undefined ? 0 : 11)
  if (options.edns !== undefined) {
    opt.writeUInt16BE(41, 1)
    opt.writeUInt16BE(options.edns, 3)
    opt.writeUInt8(options.ednsVersion ?? 0, 6)
  }
  return Buffer.concat([header, encodeName(name), question, opt])
}

export interface Message {
  readonly id: number
  readonly answer: boolean
  readonly truncated: boolean
  readonly rcode: number
  readonly name: string
  readonly type: number
  /** Data as text: an address, a name, or hexadecimal digits. */
  readonly answers: readonly {
    readonly name: string
    readonly type: number
    readonly ttl: number
    readonly data: string
  }[]
  /** What the other side takes by UDP; undefined without an OPT record. */
  readonly edns?: number | undefined
}

export function decode(packet: Buffer): Message {
  const question = readName(packet, 12)
  let at = question.end + 4
  const answers: Message['answers'][number][] = []
  let edns: number | undefined
  const [ancount, nscount, arcount] = [6, 8, 10].map((offset) => packet.readUInt16BE(offset)) as [
    number,
    number,
    number,
  ]
  let extended = 0
  for (let i = 0; i < ancount + nscount + arcount; i++) {
    const { name, end } = readName(packet, at)
    const [type, size] = [packet.readUInt16BE(end), packet.readUInt16BE(end + 8)]
    if (type === 41) {
      edns = packet.readUInt16BE(end + 2)
      extended = packet.readUInt8(end + 4)
    } else if (i < ancount) {
      answers.push({
        name,
        type,
        ttl: packet.readUInt32BE(end + 4),
        data: dataText(packet, type, end + 10, size),
      })
    }
    at = end + 10 + size
  }
  if (at !== packet.length) throw new Error(`${packet.length - at} bytes after the message`)
  return {
    id: packet.readUInt16BE(0),
    answer: (packet.readUInt8(2) & 0x80) !== 0,
    truncated: (packet.readUInt8(2) & 2) !== 0,
    rcode: (packet.readUInt8(3) & 15) | (extended << 4),
    name: question.name,
    type: packet.readUInt16BE(question.end),
    answers,
    edns,
  }
}

function dataText(packet: Buffer, type: number, at: number, size: number): string {
  const data = packet.subarray(at, at + size)
  if (type === TYPES.A) return [...data].join('.')
  if (type === TYPES.PTR) return readName(packet, at).name
  if (type !== TYPES.AAAA) return data.toString('hex')
  const groups = Array.from({ length: 8 }, (_, i) => data.readUInt16BE(i * 2).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

function readName(packet: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let [at, end] = [start, -1]
  for (;;) {
    const length = packet.readUInt8(at)
    if (length >= 0xc0) {
      if (end < 0) end = at + 2
      at = packet.readUInt16BE(at) & 0x3fff
      continue
    }
    at += 1 + length
    if (length === 0) break
    labels.push(packet.toString('latin1', at - length, at))
  }
  return { name: labels.join('.'), end: end < 0 ? at : end }
}

export function reverseName(address: string): string {
  if (!address.includes(':')) return `${address.split('.').toReversed().join('.')}.in-addr.arpa`
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const [front, back] = [groups(head), groups(tail)]
  const all = [...front, ...Array<string>(8 - front.length - back.length).fill('0'), ...back]
  const nibbles = all.map((group) => group.padStart(4, '0')).join('')
  return `${nibbles.split('').toReversed().join('.')}.ip6.arpa`
}

/** An answer with these addresses (IPv4), to be given or changed by an upstream. */
export function encodeAnswer(query: Buffer, addresses: readonly string[], rcode = 0): Buffer {
  const { end } = readName(query, 12)
  const head = Buffer.from(query.subarray(0, end + 4))
  head.writeUInt16BE(0x8180 | rcode, 2)
  head.writeUInt16BE(addresses.length, 6)
  head.writeUInt32BE(0, 8)
  const records = addresses.map((address) =>
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split('.').map(Number)]),
  )
  return Buffer.concat([head, ...records])
}

export interface Asked {
  readonly query: Buffer
  readonly message: Message
  readonly tcp: boolean
  readonly port: number
}

/** A name server; `answer` gives what is sent back, one datagram after the other, or nothing. */
export async function upstream(
  address: string,
  answer: (asked: Asked) => readonly Buffer[] | Promise<readonly Buffer[]>,
): Promise<AsyncDisposable & { readonly asked: readonly Asked[] }> {
  const asked: Asked[] = []
  const take = async (query: Buffer, tcp: boolean, port: number): Promise<readonly Buffer[]> => {
    const one: Asked = {
      query,
      tcp,
      port,
      get message() {
        return decode(query)
      },
    }
    asked.push(one)
    return answer(one)
  }
  const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  udp.on('message', (query, { port, address: peer }) => {
    void take(query, false, port).then((answers) => {
      for (const one of answers) udp.send(one, port, peer)
    })
  })
  udp.bind(53, address)
  await once(udp, 'listening')
  const tcp = createServer((socket) => {
    let received = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const query = received.subarray(2, 2 + received.readUInt16BE(0))
        received = received.subarray(2 + query.length)
        void take(query, true, socket.remotePort ?? 0).then((answers) => {
          for (const one of answers) socket.write(Buffer.concat([lengthOf(one), one]))
        })
      }
    })
  })
  tcp.listen(53, address)
  await once(tcp, 'listening')
  return {
    asked,
    async [Symbol.asyncDispose]() {
      udp.close()
      tcp.close()
      await once(tcp, 'close')
    },
  }
}

export function lengthOf(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return length
}
