import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { digestOf } from '#base/digest.ts'
import { systemClock } from '#base/clock.ts'
import { EngineError } from '#base/errors.ts'
import { jsonLogger, silentLogger } from '#base/logger.ts'
import { abortable } from '#base/mutex.ts'
import type { AccessControl } from './access.ts'
import { codeOf, distributionSuite, TestClient } from './distribution.suite.ts'
import type { RegistryEvent } from './events.ts'
import type { AnsweredRequest } from './http/edge.ts'
import { bytes, json } from './http/reply.ts'
import { route } from './http/route.ts'
import { Quota, readQuota } from './operations/quota.ts'
import { Retention } from './retention/retention.ts'
import { readRetention } from './retention/rule.ts'
import {
  openRegistryServer,
  openRegistryStorage,
  type RegistryServer,
  type RegistryServerOptions,
} from './serve.ts'
import { openCatalogue } from './storage/catalogue.ts'
import { MemoryBlobs } from './storage/memory-blobs.ts'

async function open(options: Partial<RegistryServerOptions> = {}): Promise<RegistryServer> {
  const catalogue = openCatalogue(':memory:', { logger: silentLogger })
  const server = await openRegistryServer({
    catalogue,
    blobs: new MemoryBlobs(),
    listen: { host: '127.0.0.1', port: 0 },
    logger: silentLogger,
    ...options,
  })
  return {
    ...server,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await catalogue[Symbol.asyncDispose]()
    },
  }
}

distributionSuite('a registry in memory', open)

/** `reader` may pull everything but what begins with `secret`. */
const access: AccessControl = {
  async authorize({ authorization }, resource) {
    if (authorization === undefined) {
      const details = { challenge: 'Basic realm="test"' }
      throw new EngineError('unauthenticated', 'authentication required', { code: 'Z_LOGIN', details })
    }
    const hidden = resource.kind === 'repository' && resource.name.startsWith('secret')
    if (hidden && authorization === 'reader') {
      throw new EngineError('permission_denied', 'denied', { code: 'Z_DENIED' })
    }
    return { name: authorization }
  },
  mayPull: (caller, name) => caller.name === 'admin' || !name.startsWith('secret'),
}

/** A client that says who it is. */
class NamedClient extends TestClient {
  readonly #name: string

  constructor(url: string, name: string) {
    super(url)
    this.#name = name
  }

  override fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { Authorization: this.#name, ...(init.headers as Record<string, string> | undefined) }
    return super.fetch(path, { ...init, headers })
  }
}

describe('openRegistryServer() with access control', () => {
  it('challenges strangers, in the words of the specification', async () => {
    await using server = await open({ access })
    const response = await new TestClient(server.url).fetch('/v2/')
    assert.equal(response.status, 401)
    assert.equal(response.headers.get('www-authenticate'), 'Basic realm="test"')
    const body = await response.text()
    assert.match(body, /"UNAUTHORIZED"/)
    assert.doesNotMatch(body, /realm/)
  })

  it('mounts nothing that the caller may not pull', async () => {
    await using server = await open({ access })
    const { digest } = await new NamedClient(server.url, 'admin').putBlob('secret/x', 'secret')
    const reader = new NamedClient(server.url, 'reader')
    for (const query of [`mount=${digest}&from=secret/x`, `mount=${digest}`]) {
      const response = await reader.fetch(`/v2/mine/blobs/uploads/?${query}`, { method: 'POST' })
      assert.equal(response.status, 202, query)
    }
    assert.equal((await reader.fetch(`/v2/mine/blobs/${digest}`)).status, 404)
    assert.equal(await codeOf(await reader.fetch(`/v2/secret/x/blobs/${digest}`)), 'DENIED')
  })

  it('lists in the catalogue what the caller may pull', async () => {
    await using server = await open({ access })
    const admin = new NamedClient(server.url, 'admin')
    for (const name of ['a', 'secret/x', 'z']) await admin.putImage(name, 'v1')
    const response = await new NamedClient(server.url, 'reader').fetch('/v2/_catalog')
    assert.deepEqual(await response.json(), { repositories: ['a', 'z'] })
  })
})

describe('openRegistryServer()', () => {
  it('tells listeners what happened, and outlives one that fails', async () => {
    const events: RegistryEvent[] = []
    const failing = (): void => {
      throw new Error('listener')
    }
    await using server = await open({ listeners: [failing, (event) => events.push(event)] })
    const client = new TestClient(server.url)
    const digest = await client.putImage('a', 'v1')
    await (await client.fetch('/v2/a/manifests/v1')).text()
    await client.fetch(`/v2/a/manifests/${digest}`, { method: 'DELETE' })
    assert.deepEqual(
      events.map(({ action, tag, digest: of }) => [action, tag, of === digest]),
      [
        ['push', undefined, false],
        ['push', undefined, false],
        ['push', 'v1', true],
        ['pull', 'v1', true],
        ['delete', undefined, true],
      ],
    )
  })

  it('tells of requests that were answered', async () => {
    const answered: AnsweredRequest[] = []
    {
      await using server = await open({ answered: (request) => answered.push(request) })
      await (await new TestClient(server.url).fetch('/v2/a/tags/list')).text()
    }
    assert.deepEqual(
      answered.map(({ route, method, status, error }) => [route, method, status, error]),
      [['TagsList', 'GET', 404, 'NAME_UNKNOWN']],
    )
  })

  it('limits blobs and uploads', async () => {
    await using server = await open({ limits: { blob: 10, uploads: 2 } })
    const client = new TestClient(server.url)
    const location = await client.begin('a')
    const large = await client.fetch(location, { method: 'PATCH', body: 'x'.repeat(11) })
    assert.equal(large.status, 413)
    await client.begin('a')
    const third = await client.fetch('/v2/a/blobs/uploads/', { method: 'POST' })
    assert.equal(third.status, 429)
    assert.equal(third.headers.get('retry-after'), '2')
  })

  it('takes no more of a blob of unknown length than there is room for', async () => {
    const catalogue = openCatalogue(':memory:', { logger: silentLogger })
    const quota = new Quota(catalogue.db, readQuota([{ namespace: 'a', limit: 10 }]))
    await using server = await open({
      catalogue,
      hooks: {
        beforePush: async (repository, push) => quota.check(repository, push),
        roomFor: (repository) => quota.room(repository),
      },
    })
    const client = new TestClient(server.url)
    const chunked = (text: string) => ({
      method: 'PATCH',
      body: new Blob([text]).stream(),
      duplex: 'half' as const,
    })
    assert.equal((await client.fetch(await client.begin('a'), chunked('x'.repeat(10)))).status, 202)
    const response = await client.fetch(await client.begin('a'), chunked('x'.repeat(11)))
    assert.equal(response.status, 403)
    assert.equal(await codeOf(response), 'DENIED')
  })

  it('changes nothing when it is read-only', async () => {
    await using server = await open({ readOnly: true })
    const client = new TestClient(server.url)
    for (const [method, path] of [
      ['POST', 'blobs/uploads/'],
      ['PUT', 'manifests/v1'],
      ['DELETE', 'manifests/v1'],
      ['DELETE', `blobs/${digestOf('x')}`],
    ] as const) {
      const response = await client.fetch(`/v2/a/${path}`, { method })
      assert.equal(response.status, 405)
      assert.equal(await codeOf(response), 'UNSUPPORTED')
    }
    assert.equal((await client.fetch('/v2/')).status, 200)
  })

  it('keeps what came of an upload that was cut', async () => {
    await using server = await open()
    const client = new TestClient(server.url)
    const location = await client.begin('a')
    const socket = connect(server.port, server.host)
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhello`)
    await once(socket, 'connect')
    // The request is being read when its upload is busy; the status then waits for the cut.
    const status = (async () => {
      for (;;) {
        const response = await client.fetch(location)
        if (response.headers.get('range') === '0-4') return response.status
      }
    })()
    await new Promise<void>((resolve) => socket.end(() => resolve()))
    assert.equal(await status, 204)
    const digest = digestOf('hello world')
    const done = await client.fetch(`${location}?digest=${digest}`, { method: 'PUT', body: ' world' })
    assert.equal(done.status, 201)
  })

  it('lets a client go on by another connection while the old one hangs', async () => {
    const { promise: begun, resolve } = Promise.withResolvers<void>()
    await using server = await open({
      hooks: {
        async beforePush(_repository, push) {
          if (push.kind === 'blob' && push.bytes === 100) resolve()
        },
      },
    })
    const client = new TestClient(server.url)
    const location = await client.begin('a')
    const socket = connect(server.port, server.host)
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n`)
    await begun
    const gone = once(socket, 'close')
    assert.equal((await client.fetch(location)).headers.get('range'), '0-0')
    const response = await client.fetch(`${location}?digest=${digestOf('whole')}`, {
      method: 'PUT',
      body: 'whole',
    })
    assert.equal(response.status, 201)
    await gone
  })

  it('cuts off who stalls', async () => {
    await using server = await open({ limits: { stall: 20 } })
    const location = await new TestClient(server.url).begin('a')
    const socket = connect(server.port, server.host)
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhello`)
    await once(socket, 'close')
  })

  it('asks for a body that waits for "100 Continue" only when it wants it', async () => {
    await using server = await open()
    const client = new TestClient(server.url)
    const talk = async (path: string): Promise<string> => {
      const socket = connect(server.port, server.host)
      const head = 'HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n'
      socket.write(`PATCH ${path} ${head}`)
      const [first] = (await once(socket, 'data')) as [Buffer]
      socket.destroy()
      return first.toString().split('\r\n', 1)[0] ?? ''
    }
    assert.equal(await talk(await client.begin('a')), 'HTTP/1.1 100 Continue')
    assert.equal(await talk('/v2/a/blobs/uploads/none'), 'HTTP/1.1 404 Not Found')
  })

  it('takes it as no error when a client leaves in the middle of a download', async () => {
    const root = await mkdtemp(join(tmpdir(), 'berth-serve-'))
    const lines: string[] = []
    const { promise: left, resolve } = Promise.withResolvers<AnsweredRequest>()
    {
      await using storage = await openRegistryStorage({ root, logger: silentLogger })
      await using server = await openRegistryServer({
        ...storage,
        listen: { host: '127.0.0.1', port: 0 },
        logger: jsonLogger((line) => lines.push(line), 'info'),
        answered: (request) => {
          if (request.route === 'BlobGet') resolve(request)
        },
      })
      const { digest } = await new TestClient(server.url).putBlob('a', new Uint8Array(16 << 20))
      const socket = connect(server.port, server.host)
      socket.write(`GET /v2/a/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`)
      await once(socket, 'data')
      socket.destroy()
      assert.equal((await left).error, 'REGISTRY_REQUEST_CANCELLED')
    }
    await rm(root, { recursive: true })
    assert.deepEqual(lines, [])
  })

  it('ends with the last byte of what it is sending, not in the middle', async () => {
    const large = Buffer.alloc(32 << 20)
    const server = await open({
      routes: [
        route({
          operation: 'Large',
          method: 'GET',
          path: '/large',
          resource: 'open',
          handle: () => bytes('application/octet-stream', large),
        }),
      ],
    })
    const socket = connect(server.port, server.host)
    socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'readable')
    const closed = server[Symbol.asyncDispose]()
    let received = 0
    socket.on('data', (chunk: Buffer) => (received += chunk.length))
    await once(socket, 'close')
    await closed
    assert.ok(received > large.length, `${received} bytes came`)
  })

  it('does not wait for the reader of an answer that is queued behind another one', async () => {
    const { promise: both, resolve } = Promise.withResolvers<void>()
    const server = await open({
      routes: [
        route({
          operation: 'Hanging',
          method: 'GET',
          path: '/hanging',
          resource: 'open',
          handle: ({ signal }) => abortable(new Promise(() => undefined), signal),
        }),
        route({
          operation: 'Second',
          method: 'GET',
          path: '/second',
          resource: 'open',
          handle: () => (resolve(), json({})),
        }),
      ],
    })
    const socket = connect(server.port, server.host)
    const head = 'HTTP/1.1\r\nHost: x\r\n\r\n'
    socket.write(`GET /hanging ${head}GET /second ${head}`)
    await both
    socket.destroy()
    await server[Symbol.asyncDispose]()
  })

  it('keeps nothing of a blob in one request that was refused', async () => {
    const catalogue = openCatalogue(':memory:', { logger: silentLogger })
    await using server = await open({ catalogue, limits: { blob: 10 } })
    const path = `/v2/a/blobs/uploads/?digest=${digestOf('x')}`
    const large = await new TestClient(server.url).fetch(path, { method: 'POST', body: 'x'.repeat(11) })
    assert.equal(large.status, 413)
    assert.equal(catalogue.uploads.count(), 0)
  })

  it('sets an immutable tag once, however many push it at the same time', async () => {
    const catalogue = openCatalogue(':memory:', { logger: silentLogger })
    const rules = readRetention([{ immutableTags: ['**'] }])
    const retention = new Retention({ catalogue, clock: systemClock, rules })
    await using server = await open({
      catalogue,
      hooks: {
        async beforePush(repository, push) {
          if (push.kind === 'manifest') retention.checkPush(repository, push.tags, push.digest)
          // The others get to look as well.
          await turn()
        },
      },
    })
    const client = new TestClient(server.url)
    const images = await Promise.all(['one', 'two', 'three'].map((seed) => client.image('a', seed)))
    const answers = await Promise.all(images.map((image) => client.putManifest('a', 'v1', image)))
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b)
    assert.deepEqual(statuses, [201, 403, 403])
  })

  it('says where it could not listen', async () => {
    await using server = await open()
    await assert.rejects(open({ listen: { host: server.host, port: server.port } }), /cannot listen on 127/)
  })
})
