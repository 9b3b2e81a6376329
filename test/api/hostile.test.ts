/** Requests made to confuse, flood or borrow the API (CVE-2024-41110, CVE-2026-34040, rebinding, smuggling). */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { silentLogger } from '#base/logger.ts'
import { allRoutes } from '#server/routes/routes.ts'
import { ApiFixture } from '#test/support/api-server.ts'
import { FakeEngine } from '#test/support/fake-engine.ts'

const create = '/containers/create'
const JSON_TYPE = 'Content-Type: application/json\r\n'

describe('a hostile request', () => {
  let api: ApiFixture
  before(async () => {
    api = await ApiFixture.start({ headersTimeout: 100 })
    await api.container('web', ['sleep'])
  })
  after(() => api[Symbol.asyncDispose]())

  const status = async (text: string): Promise<string> => {
    using client = await api.dial(text)
    client.socket.end()
    return (await client.ended()).split('\r\n', 1)[0] ?? ''
  }
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`

  it('that is refused half-way gets its answer, and may send the rest of its body', async () => {
    const length = 32 << 20
    using client = await api.dial(
      `POST /berth/volumes/full/import HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`,
    )
    const chunk = Buffer.alloc(1 << 20)
    for (let sent = 0; sent < length; sent += chunk.length) {
      if (!client.socket.write(chunk)) await once(client.socket, 'drain')
    }
    client.socket.end(get('/_ping'))
    assert.match(
      await client.ended(),
      /^HTTP\/1.1 429 [^]*no space left on device[^]*\nHTTP\/1.1 200 [^]*OK$/,
    )
  })

  it('reaches no other route by way of odd paths', async () => {
    const wanted = [
      ['//containers/json', 301],
      ['/containers//json', 301],
      ['//x/../info', 400],
      ['/containers/json/', 404],
      ['/v1.99/../info', 400],
      ['/v1.40/../../info', 400],
      ['/containers/%2e%2e/json', 400],
      ['/containers/..%2f..%2finfo', 400],
      ['/%69nfo', 404],
      ['/INFO', 404],
      ['/v1.40/v1.40/info', 404],
      ['/v/info', 404],
      ['/v1.40%2finfo', 404],
      ['/containers/web/json#x', 400],
      ['http://x/containers/json', 200],
      ['http://x/v1.40/../info', 400],
      ['http://x', 404],
      ['ftp://x/info', 400],
      ['/containers/web%00/json', 400],
      ['/containers/web%0d%0aX:1/json', 400],
      ['/containers/%c0%ae%c0%ae/json', 400],
    ] as const
    for (const [path, code] of wanted) {
      assert.ok((await status(get(path))).startsWith(`HTTP/1.1 ${code} `), path)
    }
  })

  it('has its body seen in full or refused, however its length is told', async () => {
    const body = '{"Image":"demo"}'
    const chunked = `10\r\n${body}\r\n0\r\n\r\n`
    const head = `POST ${create} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${JSON_TYPE}`
    const wanted = [
      [`${head}Content-Length: ${body.length}\r\n\r\n${body}`, 201],
      [`${head}Transfer-Encoding: chunked\r\n\r\n${chunked}`, 201],
      // CVE-2024-41110: a length of zero means no document, and an empty configuration is refused.
      [`${head}Content-Length: 0\r\n\r\n${body}`, 400],
      [`${head}\r\n${body}`, 400],
      [`${head}Content-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`, 400],
      [`${head}Content-Length: 16\r\nContent-Length: 17\r\n\r\n${body}x`, 400],
      [`${head}Content-Length: -1\r\n\r\n${body}`, 400],
      [`${head}Transfer-Encoding: chunked, identity\r\n\r\n${body}`, 400],
      [`${head.replace(JSON_TYPE, 'Content-Type: text/plain\r\n')}Content-Length: 16\r\n\r\n${body}`, 400],
      [`${head.replace(JSON_TYPE, '')}Content-Length: 16\r\n\r\n${body}`, 400],
    ] as const
    for (const [text, code] of wanted) {
      assert.ok((await status(text)).startsWith(`HTTP/1.1 ${code} `), text)
    }
  })

  it('is refused when its head is larger than 64 KiB', async () => {
    const flood = Array.from({ length: 4_000 }, (_, i) => `X-${i}: ${'y'.repeat(20)}\r\n`).join('')
    using client = await api.dial(`GET /info HTTP/1.1\r\nHost: x\r\n${flood}\r\n`)
    const text = await client.ended()
    assert.match(text, /^HTTP\/1.1 431 /)
    assert.match(text, /\r\nContent-Type: application\/json\r\n[^]*\{"message":"request head larger/)
    using post = await api.dial(`POST /containers/web/attach HTTP/1.1\r\nHost: x\r\n${flood}\r\n`)
    assert.match(await post.ended(), /^HTTP\/1.1 431 /)
  })

  it('may carry large credentials', async () => {
    const headers = { 'X-Registry-Config': 'a'.repeat(50_000) }
    assert.equal((await api.call('GET', '/_ping', { headers })).status, 200)
  })

  it('is cut off when its head does not arrive', async () => {
    for (const text of [
      '',
      'GE',
      'GET /info HT',
      'POST /containers/web/att',
      'POST /x HTTP/1.1\r\nHost: x\r\n',
    ]) {
      using client = await api.dial(text)
      assert.match(await client.ended(), /^$|^HTTP\/1.1 408 /, text)
    }
  })

  it('gets an answer in our shape when it is no HTTP', async () => {
    using client = await api.dial('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n')
    assert.match(
      await client.ended(),
      /^HTTP\/1.1 400 Bad Request\r\n[^]*\{"message":"malformed HTTP request"\}\n$/,
    )
  })

  it('does not end the server when it asks to take over a connection that owes an answer', async () => {
    const wait = 'POST /containers/web/wait HTTP/1.1\r\nHost: x\r\n\r\n'
    const attach = 'POST /containers/web/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\n'
    using client = await api.dial(`${wait}${attach}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n`)
    await client.ended()
    assert.equal(await status(get('/_ping')), 'HTTP/1.1 200 OK')
  })

  it('finds nothing by odd names, in every operation that takes one', async () => {
    const routes = allRoutes(new FakeEngine(), { version: '0', experimental: false }, silentLogger)
    const named = routes.filter(({ path, missing, operation }) => {
      return /\{/.test(path) && missing === undefined && operation !== 'Options'
    })
    const names = [
      '..%2fetc%2fpasswd',
      '%2e%2e',
      'a%00b',
      'x'.repeat(5_000),
      '%F0%9F%90%8B',
      '%ff%fe',
      '-rf',
      '%20',
      '__proto__',
      'constructor',
    ]
    const query = 'path=/a&h=1&w=1&stdout=1&repo=a&name=b&t=0'
    assert.ok(named.length > 30)
    for (const { method, path, operation } of named) {
      for (const name of names) {
        const { status: code } = await api.call(method, `${path.replaceAll(/\{\w+\}/g, name)}?${query}`)
        assert.ok(code === 400 || code === 404, `${operation} ${name.slice(0, 20)}: ${code}`)
      }
    }
  })
})

describe('a TCP listener', () => {
  let api: ApiFixture
  let port: number
  before(async () => {
    api = await ApiFixture.start()
    const address = await api.server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 })
    port = Number(address.split(':').at(-1))
  })
  after(() => api[Symbol.asyncDispose]())

  const status = async (headers: Record<string, string>, path = '/_ping'): Promise<number | undefined> => {
    const request = httpRequest({ host: '127.0.0.1', port, path, headers, agent: false }).end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    return response.statusCode
  }

  it('serves this machine under its own names alone', async () => {
    assert.equal(await status({ Host: `localhost:${port}` }), 200)
    assert.equal(await status({ Host: `127.0.0.1:${port}` }), 200)
    assert.equal(await status({ Host: `rebound.example:${port}` }), 403)
    assert.equal(await status({ Host: `localhost:${port}` }, 'http://rebound.example/_ping'), 403)
  })

  it('refuses what a web page sends', async () => {
    const Host = `localhost:${port}`
    assert.equal(await status({ Host, Origin: 'https://evil.example' }), 403)
    assert.equal(await status({ Host, 'Sec-Fetch-Site': 'cross-site' }), 403)
    assert.equal(await status({ Host, Origin: `http://${Host}`, 'Sec-Fetch-Site': 'same-origin' }), 200)
  })

  it('guards connections that would be taken over as well', async () => {
    const headers = {
      Host: `localhost:${port}`,
      Connection: 'Upgrade',
      Upgrade: 'tcp',
      Origin: 'http://evil',
    }
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      method: 'POST',
      path: '/exec/a/start',
      headers,
    }).end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    assert.equal(response.statusCode, 403)
    response.resume()
  })

  it('does not open to the network without TLS', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com']) {
      await assert.rejects(api.server.listen({ kind: 'tcp', host, port: 0 }), (error) =>
        isKind(error, 'invalid_argument'),
      )
    }
  })
})

describe('a read-only listener', () => {
  let api: ApiFixture
  let path: string
  before(async () => {
    api = await ApiFixture.start()
    await api.call('POST', '/containers/create?name=web', {
      body: { Image: 'demo', Cmd: ['x'], Env: ['KEY=secret', 'NONE'] },
    })
    path = `${api.path}-ro`
    await api.server.listen({ kind: 'unix', path }, { readOnly: true })
  })
  after(() => api[Symbol.asyncDispose]())

  it('serves what changes nothing, and refuses everything else, whatever is added later', async () => {
    const routes = allRoutes(new FakeEngine(), { version: '0', experimental: false }, silentLogger)
    const served: string[] = []
    for (const { method, path: pattern, operation, endless } of routes) {
      if (endless === true || operation === 'ContainerWait') continue
      const url = pattern.replaceAll(/\{\w+\}/g, 'web')
      const { status } = await api.call(method, url, { socketPath: path })
      if (status !== 403) served.push(`${method} ${pattern}`)
    }
    for (const one of served) assert.match(one, /^(GET|HEAD|OPTIONS) /)
    for (const one of served) assert.doesNotMatch(one, /archive|export|\/get$|attach|search|distribution/)
    assert.ok(served.includes('GET /containers/json') && served.includes('GET /info'))
    const upgrade = { Connection: 'Upgrade', Upgrade: 'tcp' }
    const attach = await api.call('POST', '/containers/web/attach', { socketPath: path, headers: upgrade })
    assert.equal(attach.status, 403)
  })

  it('keeps the values of variables to itself', async () => {
    const env = async (socketPath: string) =>
      ((await api.call('GET', '/containers/web/json', { socketPath })).json as { Config: { Env: unknown } })
        .Config.Env
    assert.deepEqual(await env(api.path), ['KEY=secret', 'NONE'])
    assert.deepEqual(await env(path), ['KEY=***', 'NONE'])
  })
})

describe('a TLS listener', () => {
  it('serves holders of a certificate from its own authority alone', { skip: noOpenssl() }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'berth-tls-'))
    await using cleanup = new AsyncDisposableStack()
    cleanup.defer(() => rm(directory, { recursive: true }))
    const ours = await certificate(directory, 'ours')
    const theirs = await certificate(directory, 'theirs')
    await using api = await ApiFixture.start()
    const address = await api.server.listen(
      { kind: 'tcp', host: '127.0.0.1', port: 0 },
      { tls: { ...ours, ca: ours.cert } },
    )
    const port = Number(address.split(':').at(-1))

    const ping = async (client: object): Promise<number | undefined> => {
      const options = { host: '127.0.0.1', port, path: '/_ping', ca: ours.cert, agent: false, ...client }
      const request = httpsRequest({ ...options, checkServerIdentity: () => undefined }).end()
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      response.resume()
      return response.statusCode
    }
    assert.equal(await ping(ours), 200)
    await assert.rejects(ping({}))
    await assert.rejects(ping(theirs))
  })
})

function noOpenssl(): string | false {
  return spawnSync('openssl', ['version']).status !== 0 && 'openssl is not on this machine'
}

/** A certificate that is its own authority. */
async function certificate(directory: string, name: string): Promise<{ cert: Buffer; key: Buffer }> {
  const key = join(directory, `${name}.key`)
  const cert = join(directory, `${name}.crt`)
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2'.split(' ')
  const made = spawnSync('openssl', [...request, '-keyout', key, '-out', cert, '-subj', `/CN=${name}`])
  assert.equal(made.status, 0, made.stderr.toString())
  return { cert: await readFile(cert), key: await readFile(key) }
}
