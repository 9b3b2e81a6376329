/** Connections that become streams: attach and exec start. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { FrameReader } from '#api/stdcopy.ts'
import { ApiFixture, type Client } from '#test/support/api-server.ts'

const MULTIPLEXED = 'application/vnd.docker.multiplexed-stream'
const RAW = 'application/vnd.docker.raw-stream'
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: tcp\r\n'
const ALL = 'stream=1&stdin=1&stdout=1&stderr=1'

function post(path: string, headers = '', body?: string): string {
  const entity =
    body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`
  return `POST ${path} HTTP/1.1\r\nHost: docker\r\n${headers}${entity}\r\n${body ?? ''}`
}

function split(client: Client): { head: string; body: Buffer } {
  const end = client.text.indexOf('\r\n\r\n') + 4
  return { head: client.text.slice(0, end), body: client.bytes.subarray(end) }
}

function payloads(bytes: Uint8Array): string[] {
  const reader = new FrameReader()
  const frames = reader.push(bytes)
  assert.equal(reader.isAtBoundary, true)
  return frames.map(({ type, payload }) => `${type}:${Buffer.from(payload).toString()}`)
}

/** Resolves when the server, which lives in this process, has read what was sent. */
async function arrived(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a connection that is taken over', () => {
  let api: ApiFixture
  beforeEach(async () => {
    api = await ApiFixture.start()
  })
  afterEach(() => api[Symbol.asyncDispose]())

  it('answers 101, passes on what came right behind the head, and keeps half-closes apart', async () => {
    await api.container('cat', ['cat'])
    using client = await api.dial(`${post(`/v1.55/containers/cat/attach?${ALL}`, UPGRADE)}early `)
    await client.until('early')
    client.socket.end('late')

    assert.match(await client.ended(), /late$/)
    const { head, body } = split(client)
    assert.ok(head.startsWith('HTTP/1.1 101 UPGRADED\r\n'))
    assert.match(
      head,
      new RegExp(`\r\nContent-Type: ${MULTIPLEXED}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n`),
    )
    assert.match(head, /\r\nApi-Version: 1.55\r\n/i)
    assert.equal(payloads(body).join(''), '1:early 1:late')
  })

  it('names its content by version and terminal', async () => {
    await api.container('plain', ['sleep'])
    await api.container('terminal', ['sleep'], { tty: true })
    const wanted = [
      ['/v1.41/containers/plain', RAW],
      ['/v1.42/containers/plain', MULTIPLEXED],
      ['/containers/plain', MULTIPLEXED],
      ['/v1.55/containers/terminal', RAW],
    ] as const
    for (const [path, type] of wanted) {
      using client = await api.dial(post(`${path}/attach?${ALL}`, UPGRADE))
      assert.match(await client.until('\r\n\r\n'), new RegExp(`Content-Type: ${type}\r\n`), path)
    }
  })

  it('attaches before the start and follows to the end, unframed with a terminal', async () => {
    await api.container('later', ['echo', 'started'], { tty: true, start: false })
    using client = await api.dial(post(`/containers/later/attach?${ALL}`, UPGRADE))
    await client.until('\r\n\r\n')
    assert.equal((await api.call('POST', '/containers/later/start')).status, 204)
    await client.ended()
    assert.equal(split(client).body.toString(), 'started\n')
  })

  it('reads the body of an exec start before stdin, however both are cut', async () => {
    await api.container('web', ['sleep'])
    const head = post(`/exec/${'0'.repeat(64)}/start`, UPGRADE, '{"Tty":true}').indexOf('\r\n\r\n') + 4
    for (const cut of [1, 60, 150, head - 1, head, head + 3, head + 12, head + 14, 10_000]) {
      const { Id } = await api.engine.execs.create('web', { Cmd: ['cat'] })
      const sent = `${post(`/exec/${Id}/start`, UPGRADE, '{"Tty":true}')}input`
      using client = await api.dial(sent.slice(0, cut))
      // The first part is on its way before the second: separate writes are separate reads here.
      await arrived()
      client.socket.end(sent.slice(cut))
      assert.match(await client.ended(), /\r\n\r\ninput$/, `cut at ${cut}`)
    }
  })

  it('answers an error also when the body comes after the head, and closes', async () => {
    for (const upgrade of [UPGRADE, '']) {
      const sent = post('/exec/nope/start', upgrade, '{"Tty":true}')
      const cut = sent.indexOf('\r\n\r\n') + 4
      using client = await api.dial(sent.slice(0, cut))
      await arrived()
      client.socket.write(sent.slice(cut))
      assert.match(await client.ended(), /^HTTP\/1.1 404 [^]*No such exec instance: nope/)
    }
  })

  it('works without an Upgrade header, as old clients do it', async () => {
    await api.container('cat', ['cat'])
    using client = await api.dial(`${post(`/v1.24/containers/cat/attach?${ALL}`)}early `)
    await client.until('early')
    client.socket.end('late')
    await client.ended()
    const { head, body } = split(client)
    assert.ok(head.startsWith('HTTP/1.1 200 OK\r\n'))
    assert.match(head, new RegExp(`Content-Type: ${RAW}\r\n`))
    assert.doesNotMatch(head, /upgrade|chunked|content-length/i)
    assert.equal(payloads(body).join(''), '1:early 1:late')

    await api.container('web', ['sleep'])
    const { Id } = await api.engine.execs.create('web', { Cmd: ['cat'] })
    using exec = await api.dial(`${post(`/exec/${Id}/start`, '', '{"Tty":true}')}input`)
    exec.socket.end()
    assert.match(await exec.ended(), /^HTTP\/1.1 200 OK[^]*\r\n\r\ninput$/)
  })

  it('gives output alone on a connection that was used before without an Upgrade header', async () => {
    await api.container('done', ['echo', 'hello'], { tty: true })
    using client = await api.dial('GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n')
    await client.until('OK')
    client.socket.write(post('/containers/done/attach?logs=1&stdout=1'))
    const text = (await client.ended()).split('OK', 2).at(-1) ?? ''
    assert.match(await client.ended(), /OKHTTP\/1.1 200 OK/)
    assert.doesNotMatch(text, /chunked/i)
    assert.match(await client.ended(), /\r\n\r\nhello\n$/)
  })

  it('takes over a connection that was used before', async () => {
    await api.container('cat', ['cat'], { tty: true })
    using client = await api.dial('GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n')
    await client.until('OK')
    client.socket.end(`${post(`/containers/cat/attach?${ALL}`, UPGRADE)}input`)
    assert.match(await client.ended(), /HTTP\/1.1 101 UPGRADED[^]*\r\n\r\ninput$/)
  })

  it('answers errors as ordinary responses and closes', async () => {
    await api.container('web', ['sleep'])
    const { Id } = await api.engine.execs.create('web', { Cmd: ['cat'] })
    const wanted = [
      [post('/containers/nobody/attach?stream=1', UPGRADE), 404, /No such container: nobody/],
      [post('/containers/nobody/attach?stream=1'), 404, /No such container: nobody/],
      [post(`/exec/${Id}/start`, UPGRADE, '{"Tty":'), 400, /invalid JSON/],
      [
        post(`/exec/${Id}/start`, `${UPGRADE}Content-Type: text/plain\r\nContent-Length: 2\r\n`).concat('{}'),
        400,
        /must be/,
      ],
      [post('/v1.99/containers/web/attach', UPGRADE), 400, /too new/],
      [post('/v1.23/containers/web/attach', UPGRADE), 400, /too old/],
    ] as const
    for (const [sent, status, message] of wanted) {
      using client = await api.dial(sent)
      const text = await client.ended()
      assert.ok(text.startsWith(`HTTP/1.1 ${status} `), text)
      assert.match(text, message)
      assert.match(text, /\r\nApi-Version: 1.55\r\n/i)
      assert.equal(text.includes('101'), false)
    }
  })

  it('answers a detached exec start with an empty 200', async () => {
    await api.container('web', ['sleep'])
    const { Id } = await api.engine.execs.create('web', { Cmd: ['cat'] })
    using client = await api.dial(post(`/exec/${Id}/start`, UPGRADE, '{"Detach":true}'))
    assert.match(await client.ended(), /^HTTP\/1.1 200 OK\r\n[^]*Content-Length: 0\r\n/)
  })

  it('ignores an Upgrade header on any other request', async () => {
    using client = await api.dial(
      `GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
    )
    assert.match(await client.until('OK'), /^HTTP\/1.1 200 OK/)
    using wrong = await api.dial(`GET /containers/a/attach HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`)
    assert.match(await wrong.until('}'), /^HTTP\/1.1 404[^]*page not found/)
  })

  it('lets the stream go when the client hangs up', async () => {
    await api.container('web', ['sleep'])
    using client = await api.dial(post(`/containers/web/attach?${ALL}`, UPGRADE))
    await client.until('\r\n\r\n')
    const container = api.engine.containers.find('web')
    const [stream] = container.streams
    assert.ok(stream !== undefined)
    client.socket.destroy()
    // Nobody reads: the next output finds out.
    const closed = once(stream, 'close')
    container.print(1, 'x'.repeat(100_000))
    container.print(1, 'x'.repeat(100_000))
    await closed
  })
})
