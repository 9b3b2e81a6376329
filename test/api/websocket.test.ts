/** Attaching by websocket. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { WebSocket } from 'ws'
import { ApiFixture } from '#test/support/api-server.ts'

const ALL = 'stream=1&stdin=1&stdout=1&stderr=1'

describe('a websocket', () => {
  let api: ApiFixture
  beforeEach(async () => {
    api = await ApiFixture.start()
  })
  afterEach(() => api[Symbol.asyncDispose]())

  function dial(path: string): WebSocket {
    return new WebSocket(`ws+unix:${api.path}:${path}`)
  }

  async function message(socket: WebSocket): Promise<{ readonly text: string; readonly isBinary: boolean }> {
    const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
    return { text: data.toString(), isBinary }
  }

  it('has what the client sends as input, and output without frames', async () => {
    for (const tty of [false, true]) {
      const name = tty ? 'terminal' : 'plain'
      await api.container(name, ['cat'], { tty })
      const socket = dial(`/v1.55/containers/${name}/attach/ws?${ALL}`)
      await once(socket, 'open')
      for (const text of ['typed', 'and more']) {
        socket.send(text)
        assert.deepEqual(await message(socket), { text, isBinary: true })
      }
      socket.close()
      await once(socket, 'close')
    }
  })

  it('is closed when the container ends, and follows one that is not started yet', async () => {
    await api.container('later', ['echo', 'hello'], { start: false })
    const socket = dial(`/containers/later/attach/ws?${ALL}`)
    await once(socket, 'open')
    const closed = once(socket, 'close')
    const said = message(socket)
    await api.call('POST', '/containers/later/start')
    assert.equal((await said).text, 'hello\n')
    await closed
  })

  it('has text and all streams for clients of that age', async () => {
    await api.container('old', ['cat'])
    const socket = dial('/v1.24/containers/old/attach/ws?stream=1')
    await once(socket, 'open')
    socket.send('grüße')
    assert.deepEqual(await message(socket), { text: 'grüße', isBinary: false })
    const [, asked] = api.engine.lastCall('attach') as [string, { stdin: boolean; stderr: boolean }]
    assert.ok(asked.stdin && asked.stderr)
    socket.close()
    await once(socket, 'close')
  })

  it('is refused as any request before it begins', async () => {
    const socket = dial(`/containers/nobody/attach/ws?${ALL}`)
    const [error] = (await once(socket, 'error')) as [Error]
    assert.match(error.message, /Unexpected server response: 404/)

    await api.container('cat', ['cat'])
    const plain = await api.call('GET', `/containers/cat/attach/ws?${ALL}`)
    assert.equal(plain.status, 400)
    assert.match(plain.text, /the connection cannot become a websocket: the request does not ask for it/)
    using broken = await api.dial(
      `GET /containers/cat/attach/ws?${ALL} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    )
    assert.match(await broken.ended(), /^HTTP\/1\.1 400 /)
  })

  it('that sends more than it may in a message is closed, and the engine goes on', async () => {
    await api.container('cat', ['cat'])
    const socket = dial(`/containers/cat/attach/ws?${ALL}`)
    await once(socket, 'open')
    socket.send(Buffer.alloc(2 << 20))
    const [code] = (await once(socket, 'close')) as [number]
    assert.equal(code, 1009)
    assert.equal((await api.call('GET', '/_ping')).text, 'OK')
  })

  it('is let go when the server closes', async () => {
    await api.container('cat', ['cat'])
    const socket = dial(`/containers/cat/attach/ws?${ALL}`)
    await once(socket, 'open')
    const closed = once(socket, 'close')
    await api.server.close()
    await closed
  })
})
