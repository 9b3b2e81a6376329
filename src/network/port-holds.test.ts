import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { isErrno } from '#base/errors.ts'
import { SocketPortHolds } from './port-holds.ts'

const holds = new SocketPortHolds()

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('SocketPortHolds', () => {
  it('forwards TCP with half-close to the other family', async () => {
    const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
    await once(echo, 'listening')
    const hostPort = await freePort()
    {
      const { port } = echo.address() as AddressInfo
      await using _hold = await holds.hold({
        protocol: 'tcp',
        hostIp: '::1',
        hostPort,
        ip: '127.0.0.1',
        port,
      })
      const client = connect({ port: hostPort, host: '::1', allowHalfOpen: true })
      client.end('hello')
      assert.equal(await text(client), 'hello')
    }
    const late = connect(hostPort, '::1')
    const [error] = (await once(late, 'error')) as [Error]
    assert.ok(isErrno(error, 'ECONNREFUSED'))
    echo.close()
  })

  it('forwards UDP and its answers', async () => {
    const echo = createSocket('udp4', (message, from) => echo.send(message, from.port, from.address))
    echo.bind(0, '127.0.0.1')
    await once(echo, 'listening')
    const hostPort = await freePort()
    const { port } = echo.address()
    await using _hold = await holds.hold({ protocol: 'udp', hostIp: '::1', hostPort, ip: '127.0.0.1', port })
    const client = createSocket('udp6')
    client.send('hello', hostPort, '::1')
    const [answer] = (await once(client, 'message')) as [Buffer]
    assert.equal(answer.toString(), 'hello')
    client.close()
    echo.close()
  })

  it("rejects with the system's error when the port is taken", async () => {
    for (const protocol of ['tcp', 'udp'] as const) {
      const hostPort = await freePort()
      const request = { protocol, hostIp: '127.0.0.1', hostPort, ip: '127.0.0.1', port: 9 }
      await using _hold = await holds.hold(request)
      await assert.rejects(holds.hold(request), (error) => isErrno(error, 'EADDRINUSE'))
    }
  })
})
