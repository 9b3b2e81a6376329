/** BuildKit's protocol at the edge: what becomes a connection of it, and what on such a connection is refused. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientHttp2Session, connect as http2, type IncomingHttpHeaders } from 'node:http2'
import { after, before, describe, it } from 'node:test'
import { GrpcClient } from '#buildkit/grpc/client.ts'
import { frameOf } from '#buildkit/grpc/frames.ts'
import {
  InfoRequest,
  InfoResponse,
  ListWorkersRequest,
  ListWorkersResponse,
} from '#buildkit/messages/control.ts'
import { HealthRequest, HealthResponse } from '#buildkit/messages/session.ts'
import { ApiFixture } from '#test/support/api-server.ts'
import { BuildKitClient, upgraded } from '#test/support/buildkit-client.ts'

let api: ApiFixture
before(async () => {
  api = await ApiFixture.start()
})
after(() => api[Symbol.asyncDispose]())

const INFO = '/moby.buildkit.v1.Control/Info'

describe('the connections of BuildKit’s clients', () => {
  it('are announced', async () => {
    const { headers } = await api.call('HEAD', '/_ping')
    assert.equal(headers['builder-version'], '2')
  })

  for (const path of ['/grpc', '/v1.51/grpc', '/session']) {
    it(`are made by an upgrade to h2c at ${path}, and by no other`, async () => {
      const headers = ['X-Docker-Expose-Session-Uuid: one']
      const socket = await upgraded(api.path, path, headers)
      socket.destroy()
      for (const [upgrade, problem] of [
        ['', 'no upgrade to h2c'],
        ['Connection: Upgrade\r\nUpgrade: tcp\r\n', 'protocol tcp is not supported'],
      ]) {
        using client = await api.dial(
          `POST ${path} HTTP/1.1\r\nHost: d\r\n${upgrade}Content-Length: 0\r\n\r\n`,
        )
        assert.match(await client.ended(), new RegExp(`^HTTP/1\\.1 400 [^]*${problem}`))
      }
    })
  }

  it('are made also when only the protocol is named', async () => {
    const head = 'POST /session HTTP/1.1\r\nHost: d\r\nX-Docker-Expose-Session-Uuid: two\r\nUpgrade: h2c\r\n'
    using client = await api.dial(`${head}Content-Length: 0\r\n\r\n`)
    assert.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 101 /)
  })

  it('need an id for a session', async () => {
    await assert.rejects(upgraded(api.path, '/session', []), /400 .*has no id/s)
  })

  it('answer what a builder is, and that it is well', async () => {
    using client = new GrpcClient(await upgraded(api.path, '/grpc', []))
    const { buildkitVersion } = await client.unary(INFO, [InfoRequest, InfoResponse], {})
    assert.equal(buildkitVersion?.package, 'berth')
    const types = [ListWorkersRequest, ListWorkersResponse] as const
    const { records } = await client.unary('/moby.buildkit.v1.Control/ListWorkers', types, {})
    assert.equal(records.length, 1)
    const health = await client.unary('/grpc.health.v1.Health/Check', [HealthRequest, HealthResponse], {})
    assert.equal(health.status, 1)
  })

  it('are no error when they are closed at once', async () => {
    api.log.length = 0
    ;(await upgraded(api.path, '/grpc', [])).destroy()
    await using _next = await BuildKitClient.connect(api.path)
    assert.deepEqual(
      api.log.filter(({ level }) => level === 'error'),
      [],
    )
  })
})

describe('a call that is none', () => {
  let session: ClientHttp2Session
  before(async () => {
    const socket = await upgraded(api.path, '/grpc', [])
    session = http2('http://localhost', { createConnection: () => socket })
  })
  after(() => session.destroy())

  async function status(path: string, body: Uint8Array): Promise<IncomingHttpHeaders> {
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' })
    stream.end(body)
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders]
    stream.resume()
    if (headers['grpc-status'] !== undefined) return headers
    return ((await once(stream, 'trailers')) as [IncomingHttpHeaders])[0]
  }

  const frame = (...bytes: number[]): Buffer => frameOf(Buffer.from(bytes))
  const cases: readonly [name: string, path: string, body: Uint8Array, code: string][] = [
    ['an unknown method', '/moby.buildkit.v1.Control/Unknown', frame(), '12'],
    ['a method of every object', '/toString', frame(), '12'],
    ['no message', INFO, Buffer.alloc(0), '3'],
    ['half a head', INFO, Buffer.from([0, 0]), '3'],
    ['half a message', INFO, Buffer.from([0, 0, 0, 0, 9, 1]), '3'],
    ['a compressed message', INFO, Buffer.from([1, 0, 0, 0, 0]), '3'],
    ['a message that is too large', INFO, Buffer.from([0, 255, 255, 255, 255]), '8'],
    ['a field that ends beyond the message', '/moby.buildkit.v1.Control/Solve', frame(0x0a, 0x7f, 0x61), '3'],
    ['text that is not UTF-8', '/moby.buildkit.v1.Control/Status', frame(0x0a, 1, 0xff), '3'],
    ['a tag without a number', '/moby.buildkit.v1.Control/Status', frame(0x02, 0), '3'],
    [
      'groups in groups without end',
      '/moby.buildkit.v1.Control/Status',
      frame(...Array<number>(5000).fill(0x0b)),
      '3',
    ],
  ]
  for (const [name, path, body, code] of cases) {
    it(`is refused: ${name}`, async () => {
      assert.equal((await status(path, body))['grpc-status'], code)
      const { 'grpc-status': next } = await status(INFO, frame())
      assert.equal(next, '0', 'the connection goes on')
    })
  }
})

describe('a session', () => {
  it('belongs to one client', async () => {
    await using client = await BuildKitClient.connect(api.path)
    const socket = await upgraded(api.path, '/session', [`X-Docker-Expose-Session-Uuid: ${client.session}`])
    await once(socket.resume(), 'close')
  })
})
