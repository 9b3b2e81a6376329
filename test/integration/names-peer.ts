/**
 * Runs inside a network namespace of names.test.ts and sends what it is told, a line of JSON each: datagrams, or one
 * stream by TCP. Answers with a line of JSON: what came back.
 */
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

export interface PeerRequest {
  readonly transport: 'udp' | 'tcp'
  /** Hexadecimal. By TCP all in one stream, each with its length before it. */
  readonly messages: readonly string[]
  /** How many answers to wait for; what has not come after `patience` milliseconds is not waited for. */
  readonly wait: number
  readonly patience: number
}

const SERVER = '127.0.0.11'

if (import.meta.main) {
  process.stdout.write('ready\n')
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as PeerRequest
    const answers = await (request.transport === 'udp' ? datagrams(request) : stream(request))
    process.stdout.write(`${JSON.stringify(answers)}\n`)
  }
}

async function datagrams({ messages, wait, patience }: PeerRequest): Promise<readonly string[]> {
  const socket = createSocket('udp4')
  const answers: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, patience)
  // A refused port is no answer.
  socket.on('error', () => resolve())
  socket.connect(53, SERVER)
  await new Promise<void>((connected) => void socket.once('connect', connected))
  socket.on('message', (message) => {
    answers.push(message.toString('hex'))
    if (answers.length === wait) resolve()
  })
  for (const message of messages) socket.send(Buffer.from(message, 'hex'))
  await promise
  clearTimeout(timer)
  socket.close()
  return answers
}

async function stream({ messages, wait, patience }: PeerRequest): Promise<readonly string[]> {
  const socket = connect(53, SERVER)
  const answers: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, patience)
  let received = Buffer.alloc(0)
  socket.on('error', () => resolve())
  socket.on('close', () => resolve())
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0)
      answers.push(received.toString('hex', 2, end))
      received = received.subarray(end)
    }
    if (answers.length >= wait) resolve()
  })
  for (const message of messages) {
    const body = Buffer.from(message, 'hex')
    const length = Buffer.alloc(2)
    length.writeUInt16BE(body.length)
    socket.write(Buffer.concat([length, body]))
  }
  await promise
  clearTimeout(timer)
  socket.destroy()
  return answers
}
