import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, type Duplex } from 'node:stream'
import { afterEach, describe, it } from 'node:test'
import { EngineError, isKind } from '#base/errors.ts'
import { Client } from './client.ts'
import { DAEMON_ERROR } from './errors.ts'
import type { TransportOptions } from './transport.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const open: { server: Server; directory: string }[] = []

afterEach(() => {
  for (const { server, directory } of open.splice(0)) {
    server.closeAllConnections()
    server.close()
    rmSync(directory, { recursive: true, force: true })
  }
})

async function serve(
  handler: Handler,
  options: Partial<TransportOptions> & {
    readonly api?: string
    readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  } = {},
): Promise<{ client: Client; paths: string[] }> {
  const { api = '1.55', onUpgrade, ...rest } = options
  const directory = mkdtempSync(join(tmpdir(), 'berth-client-'))
  const paths: string[] = []
  const server = createServer((request, response) => {
    paths.push(`${request.method} ${request.url}`)
    response.setHeader('Api-Version', api)
    if (request.url === '/_ping') response.end()
    else handler(request, response)
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    paths.push(`UPGRADE ${request.url}`)
    onUpgrade?.(request, socket, head)
  })
  open.push({ server, directory })
  const path = join(directory, 'engine.sock')
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(path, resolve)
  await promise
  return { client: new Client({ endpoint: { kind: 'unix', path }, ...rest }), paths }
}

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}

describe('Transport', () => {
  it('asks for the version once and uses the older of both', async () => {
    const { client, paths } = await serve((_request, response) => json(response, []), { api: '1.47' })
    await client.containerQuery.list()
    await client.containerQuery.list({ all: true, filters: { name: ['a'] } })
    assert.deepEqual(paths, [
      'HEAD /_ping',
      'GET /v1.47/containers/json',
      `GET /v1.47/containers/json?all=1&filters=${encodeURIComponent('{"name":{"a":true}}')}`,
    ])
  })

  it('does not offer a version newer than its own', async () => {
    const { client } = await serve((_request, response) => json(response, []), { api: '1.99' })
    assert.equal(await client.transport.version(), '1.55')
  })

  it('refuses a daemon that is too old', async () => {
    const { client } = await serve((_request, response) => json(response, []), { api: '1.30' })
    await assert.rejects(client.containerQuery.list(), /speaks API 1.30, but this client needs at least 1.40/)
  })

  it('skips negotiation when a version is pinned', async () => {
    const { client, paths } = await serve((_request, response) => json(response, []), { apiVersion: '1.41' })
    await client.containerQuery.list()
    assert.deepEqual(paths, ['GET /v1.41/containers/json'])
  })

  it("rejects with the server's words and the kind of its status", async () => {
    const { client } = await serve((_request, response) =>
      json(response, { message: 'No such container: x' }, 404),
    )
    await assert.rejects(client.containerQuery.inspect('x'), (error) => {
      assert.ok(error instanceof EngineError)
      assert.deepEqual(
        [error.kind, error.code, error.message],
        ['not_found', DAEMON_ERROR, 'No such container: x'],
      )
      return true
    })
  })

  it('explains an error without a body', async () => {
    const { client } = await serve((_request, response) => response.writeHead(500).end())
    await assert.rejects(client.system.info(), /status 500 for \/info, check if the server supports/)
  })

  it('says that nobody listens, and tries again when somebody was started', async () => {
    const missing = new Client({ endpoint: { kind: 'unix', path: '/nonexistent/berth.sock' } })
    await assert.rejects(
      missing.system.info(),
      /^EngineError: Cannot connect to the berth daemon at unix:\/\/\/nonexistent\/berth.sock. Is the daemon running\?$/,
    )
    let asked = 0
    const hopeful = new Client({
      endpoint: { kind: 'unix', path: '/nonexistent/berth.sock' },
      onUnreachable: () => Promise.resolve(++asked === 1),
    })
    await assert.rejects(hopeful.system.info(), (error) => isKind(error, 'unavailable'))
    assert.equal(asked, 1)
  })

  it('reports what the server says although the upload was not finished', async () => {
    const { client } = await serve((_request, response) => json(response, { message: 'read-only' }, 403))
    const endless = Readable.from(
      (function* () {
        for (let i = 0; i < 64; i++) yield Buffer.alloc(1024)
      })(),
    )
    await assert.rejects(client.containerFiles.put('x', '/', endless), /read-only/)
  })

  it('keeps integers exact that are beyond 2^53', async () => {
    const { client } = await serve((_request, response) => {
      response.writeHead(200).end('{"Action":"start","timeNano":1700000000123456789}\r\n{"Action":"die"}\n')
    })
    const events = await Array.fromAsync(client.system.events({}))
    assert.deepEqual(events, [{ Action: 'start', timeNano: 1700000000123456789n }, { Action: 'die' }])
  })

  it('ends with the reason of the signal', async () => {
    const { client } = await serve((_request, response) => response.flushHeaders())
    const controller = new AbortController()
    const events = client.system.events({ signal: controller.signal }).next()
    setImmediate(() => controller.abort())
    await assert.rejects(events, { name: 'AbortError' })
  })
})

describe('Transport.hijack()', () => {
  it('delivers what comes with the answer, and goes on reading after its own half is closed', async () => {
    const { client } = await serve(() => undefined, {
      onUpgrade(_request, socket) {
        socket.write(
          'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst,',
        )
        let input = ''
        socket.on('data', (chunk: Buffer) => (input += chunk.toString()))
        socket.on('end', () => socket.end(`then ${input}`))
      },
    })
    const { stream, contentType } = await client.containerStreams.attach('x', {
      stdin: true,
      stdout: true,
      stderr: true,
    })
    stream.end('typed')
    const chunks = await Array.fromAsync(stream as AsyncIterable<Buffer>)
    assert.equal(Buffer.concat(chunks).toString(), 'first,then typed')
    assert.equal(contentType, 'application/vnd.docker.raw-stream')
  })

  it('rejects with the error that came instead of the upgrade', async () => {
    const { client } = await serve(() => undefined, {
      onUpgrade(_request, socket) {
        const body = '{"message":"container x is not running"}'
        socket.end(
          `HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        )
      },
    })
    await assert.rejects(client.execs.start('x', { tty: false }), (error) => isKind(error, 'conflict'))
  })
})

describe('Containers.wait()', () => {
  it('resolves with the headers, before the container has ended', async () => {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const { client } = await serve((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders()
      void ended.then(() => response.end('{"StatusCode":7}'))
    })
    const { result } = await client.containers.wait('x', 'next-exit')
    end()
    assert.deepEqual(await result, { StatusCode: 7 })
  })
})
