import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { PassThrough, Duplex } from 'node:stream'
import { describe, it } from 'node:test'
import { join } from './join.ts'

/** A client, and the server's side of its connection, both half-open. */
async function pair(): Promise<{ client: Socket; socket: Socket } & Disposable> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect({ port: (server.address() as AddressInfo).port, allowHalfOpen: true })
  const [socket] = (await once(server, 'connection')) as [Socket]
  server.close()
  return { client, socket, [Symbol.dispose]: () => void client.destroy() }
}

function process(): { stdin: PassThrough; stdout: PassThrough; stream: Duplex } {
  const stdin = new PassThrough()
  const stdout = new PassThrough()
  return {
    stdin,
    stdout,
    stream: Duplex.from({ readable: stdout, writable: stdin } as unknown as Iterable<never>),
  }
}

/** A connection whose client takes one write at a time, when it is told to. */
class SlowSocket extends Duplex {
  taken = ''
  #waiting: (() => void) | undefined

  get waits(): boolean {
    return this.#waiting !== undefined
  }

  takeOne(): void {
    const taking = this.#waiting
    this.#waiting = undefined
    taking?.()
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#waiting = () => {
      this.taken += chunk.toString()
      done()
    }
  }
}

async function text(readable: AsyncIterable<unknown>): Promise<string> {
  return (await Array.fromAsync(readable)).join('')
}

describe('join()', () => {
  it('ends stdin at the half-close of the client and still sends the output', async () => {
    using connection = await pair()
    const { client, socket } = connection
    const { stdin, stdout, stream } = process()
    const joined = join(socket, stream)
    client.end('input')
    assert.equal(await text(stdin), 'input')

    stdout.end('output')
    assert.equal(await text(client), 'output')
    await joined
    assert.equal(socket.destroyed, true)
  })

  it('closes when the output ends although the client keeps sending', async () => {
    using connection = await pair()
    const { client, socket } = connection
    const { stdout, stream } = process()
    const joined = join(socket, stream)
    client.write('x'.repeat(1_000_000))
    stdout.end('bye')
    client.setEncoding('utf8')
    assert.deepEqual(await once(client, 'data'), ['bye'])
    client.end()
    await joined
  })

  it('sends all of the output however slowly it is read', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
    const socket = new SlowSocket()
    const { stdout, stream } = process()
    const joined = join(socket, stream)
    const ended = once(stream, 'end')
    stdout.write('first')
    stdout.end('last')
    await ended
    t.mock.timers.tick(50_000)
    socket.takeOne()
    t.mock.timers.tick(50_000)
    assert.equal(socket.destroyed, false)
    const finished = once(socket, 'finish')
    while (socket.waits) socket.takeOne()
    await finished
    // Now the client has its time to close.
    t.mock.timers.tick(10_000)
    await joined
    assert.equal(socket.taken, 'firstlast')
  })

  it('gives a client up that takes nothing any more of what is left', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
    const socket = new SlowSocket()
    const { stdout, stream } = process()
    const joined = join(socket, stream)
    const ended = once(stream, 'end')
    stdout.end('last')
    await ended
    t.mock.timers.tick(50_000)
    assert.equal(socket.destroyed, false)
    t.mock.timers.tick(100_000)
    await joined
    assert.equal(socket.taken, '')
  })

  it('lets the stream go when the client hangs up', async () => {
    using connection = await pair()
    const { client, socket } = connection
    const { stream } = process()
    const joined = join(socket, stream)
    client.resetAndDestroy()
    await joined
    assert.equal(stream.destroyed, true)
  })

  it('closes the connection when the stream fails', async () => {
    using connection = await pair()
    const { client, socket } = connection
    const { stream } = process()
    const joined = join(socket, stream)
    stream.destroy(new Error('shim is gone'))
    client.resume()
    await once(client, 'end')
    client.end()
    await joined
  })
})
