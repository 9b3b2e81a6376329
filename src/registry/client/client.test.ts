import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { digestOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { mediaTypes } from '#oci/image-spec.ts'
import { type Fault, FakeRegistry } from '#test/support/fake-registry.ts'
import { FakeServer } from '#test/support/fake-tokens.ts'
import { PauseClock, watchedForHours } from '#test/support/pause-clock.ts'
import { openRegistryClient, type RegistryClientOptions } from './client.ts'
import type { Repository } from './repository.ts'

const { ociManifest, ociIndex } = mediaTypes

let registry: FakeRegistry
let clock: PauseClock
let opened: AsyncDisposableStack

beforeEach(async () => {
  opened = new AsyncDisposableStack()
  registry = opened.use(await FakeRegistry.start())
  clock = new PauseClock()
})
afterEach(() => opened.disposeAsync())

const repository = (path = 'team/app', options: RegistryClientOptions = {}): Repository =>
  opened
    .use(
      openRegistryClient({
        certificateDirectories: [],
        clock,
        random: () => 0,
        limits: watchedForHours,
        ...options,
      }),
    )
    .repository({ domain: registry.host, path })

async function read(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts)
}

const faults = (...list: readonly (Fault | undefined)[]): void => {
  const rest = [...list]
  registry.fault = () => rest.shift()
}

describe('Repository.manifest()', () => {
  it('gives the bytes as they are, with type, digest and size', async () => {
    const { digest } = registry.addManifest('team/app', 'v1', { schemaVersion: 2 }, ociManifest)
    const descriptor = { mediaType: ociManifest, digest, size: 19 }
    const { descriptor: got, bytes } = await repository().manifest('v1')
    assert.deepEqual(got, descriptor)
    assert.equal(Buffer.from(bytes).toString(), '{"schemaVersion":2}')
    assert.deepEqual(await repository().resolve(digest), descriptor)
    assert.deepEqual(await repository().resolve('v1'), descriptor)
  })

  it('asks for indexes and manifests of both families', async () => {
    registry.addManifest('team/app', 'v1', {}, ociManifest)
    await repository().manifest('v1')
    for (const type of [ociIndex, ociManifest, mediaTypes.dockerIndex, mediaTypes.dockerManifest]) {
      assert.ok(registry.requests.at(-1)?.headers.accept?.includes(type), type)
    }
  })

  it('reads the manifest where the answer to HEAD says too little', async () => {
    const { digest } = registry.addManifest('team/app', 'v1', { mediaType: ociIndex }, 'application/json')
    assert.deepEqual(await repository().resolve('v1'), { mediaType: ociIndex, digest, size: 55 })
  })

  it('names image and reason when there is none', async () => {
    registry.repository('team/app')
    assert.equal(await repository().resolve('nope'), undefined)
    await assert.rejects(repository().manifest('nope'), {
      kind: 'not_found',
      message: `manifest for ${registry.host}/team/app:nope not found: manifest unknown: manifest unknown`,
    })
  })

  it('CVE-2026-111361: refuses bytes that are not those of the digest (truncated, tampered)', async () => {
    const { digest } = registry.addManifest('team/app', 'v1', { a: 1 }, ociManifest)
    registry.fault = () => ({ kind: 'tamper' })
    await assert.rejects(repository().manifest(digest), { code: 'REGISTRY_DIGEST_MISMATCH' })
    await assert.rejects(repository().manifest('v1'), { code: 'REGISTRY_DIGEST_MISMATCH' })
  })

  it('CVE-2021-21285: stops reading a manifest that is too large', async () => {
    registry.addManifest('team/app', 'v1', Buffer.alloc((4 << 20) + 1), ociManifest)
    await assert.rejects(repository().manifest('v1'), /larger than the 4194304 bytes allowed/)
    registry.fault = () => ({ kind: 'answer', status: 200, headers: {}, body: Buffer.alloc(5 << 20) })
    await assert.rejects(repository().manifest('v1'), (error) => isKind(error, 'invalid_argument'))
  })

  it('takes no other status for success', async () => {
    for (const status of [202, 204, 206, 304]) {
      registry.fault = () => ({ kind: 'answer', status })
      await assert.rejects(repository().manifest('v1'), { code: 'REGISTRY_ANSWER_INVALID' })
      await assert.rejects(repository().hasBlob(digestOf(Buffer.alloc(0))), /unexpected status/)
    }
  })

  it('says what to do about images of before 2016', async () => {
    registry.addManifest('team/app', 'v1', {}, 'application/vnd.docker.distribution.manifest.v1+prettyjws')
    await assert.rejects(repository().manifest('v1'), /schema 1 is no longer supported/)
  })

  it('does not put a name into a path that is neither tag nor digest', async () => {
    await assert.rejects(repository().manifest('../../other/manifests/x'), /neither a tag nor a digest/)
    assert.deepEqual(registry.log, [])
  })
})

describe('Repository.blob()', () => {
  const content = randomBytes(300_000)

  it('gives all bytes, or a range of them', async () => {
    const blob = registry.addBlob(content)
    const whole = await repository().blob(blob)
    assert.equal(whole.offset, 0)
    assert.deepEqual(await read(whole.chunks), content)
    const part = await repository().blob(blob, { offset: 1000, end: 250_001 })
    assert.equal(part.offset, 1000)
    assert.deepEqual(await read(part.chunks), content.subarray(1000, 250_001))
    assert.equal(registry.requests.at(-1)?.headers.range, 'bytes=1000-250000')
  })

  it('says that it begins at 0 where a registry knows no ranges', async () => {
    const blob = registry.addBlob(content)
    registry.fault = () => ({ kind: 'ignore range' })
    const { offset, chunks } = await repository().blob(blob, { offset: 1000 })
    assert.equal(offset, 0)
    assert.equal((await read(chunks)).length, content.length)
  })

  it('fails as unavailable when the body is cut short', async () => {
    const blob = registry.addBlob(content)
    registry.fault = () => ({ kind: 'cut', after: 100_000 })
    const { chunks } = await repository().blob(blob)
    await assert.rejects(read(chunks), { kind: 'unavailable', code: 'REGISTRY_CUT' })
  })

  it('refuses a length other than the one that was promised', async () => {
    const { digest } = registry.addBlob(content)
    await assert.rejects(repository().blob({ digest, size: 299_999 }), /sends 300000 bytes, want 299999/)
    await assert.rejects(repository().blob({ digest, size: 300_001 }), { kind: 'invalid_argument' })
  })

  it('refuses a range other than the one that was asked for', async () => {
    const blob = registry.addBlob(content)
    const headers = { 'content-range': 'bytes 0-9/300000' }
    registry.fault = () => ({ kind: 'answer', status: 206, headers, body: Buffer.alloc(10) })
    await assert.rejects(repository().blob(blob, { offset: 10, end: 20 }), /it sent others/)
  })

  it('fails as unavailable when nothing comes for too long, and not while the reader takes its time', async () => {
    const blob = registry.addBlob(content)
    registry.fault = () => ({ kind: 'stall', after: 100_000 })
    const slow = new FakeClock()
    const limits = { connect: 1000, stall: 1000, answer: 1000 }
    const { chunks } = await repository('team/app', { clock: slow, limits }).blob(blob)
    const iterator = chunks[Symbol.asyncIterator]()
    await iterator.next()
    for (let i = 0; i < 10; i += 1) await slow.advance(1000)
    let failed = false
    const rest = (async () => {
      while ((await iterator.next()).done !== true);
    })().finally(() => (failed = true))
    const stalled = assert.rejects(rest, { code: 'REGISTRY_STALLED', message: /sent nothing for 1 s/ })
    while (!failed) await slow.advance(250)
    await stalled
  })

  it('ends at once when the caller does', async () => {
    const blob = registry.addBlob(content)
    registry.fault = () => ({ kind: 'stall', after: 10 })
    const abort = new AbortController()
    const { chunks } = await repository().blob(blob, { signal: abort.signal })
    const reading = read(chunks)
    const reason = new Error('enough')
    abort.abort(reason)
    await assert.rejects(reading, reason)
  })

  it('may be given up before anybody reads it, or closed by the registry', async () => {
    const blob = registry.addBlob(content)
    registry.fault = () => ({ kind: 'stall', after: 10 })
    const abort = new AbortController()
    const given = await repository().blob(blob, { signal: abort.signal })
    abort.abort(new Error('enough'))
    await assert.rejects(read(given.chunks), /enough/)
    registry.fault = () => ({ kind: 'cut', after: 10 })
    const cut = await repository().blob(blob)
    await registry.closed()
    await assert.rejects(read(cut.chunks), { code: 'REGISTRY_CUT' })
  })

  it('waits as long as a 429 says before it asks again, and hands on what is too long', async () => {
    const blob = registry.addBlob(content)
    const limited = (seconds: string): Fault => ({
      kind: 'answer',
      status: 429,
      headers: { 'retry-after': seconds },
    })
    faults(undefined, limited('7'))
    const client = repository()
    await client.hasBlob(blob.digest)
    assert.deepEqual(await read((await client.blob(blob)).chunks), content)
    assert.deepEqual(clock.pauses, [7000])
    faults(limited('3600'))
    await assert.rejects(client.blob(blob), {
      kind: 'resource_exhausted',
      message: /toomanyrequests.*3600 s/,
    })
  })

  it('does not ask again when the limit of hours is used up', async () => {
    const usedUp = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' }
    registry.fault = () => ({ kind: 'answer', status: 429, headers: usedUp })
    await assert.rejects(repository().manifest('v1'), { kind: 'resource_exhausted' })
    assert.deepEqual([registry.requests.length, clock.pauses], [1, []])
  })
})

describe('Repository.document()', () => {
  it('is checked as a whole', async () => {
    const blob = registry.addBlob('{"os":"linux"}')
    assert.equal(Buffer.from(await repository().document(blob, { limit: 100 })).toString(), '{"os":"linux"}')
    await assert.rejects(repository().document(blob, { limit: 5 }), /larger than the 5 allowed/)
    registry.fault = () => ({ kind: 'tamper' })
    await assert.rejects(repository().document(blob, { limit: 100 }), { code: 'REGISTRY_DIGEST_MISMATCH' })
  })
})

describe('Repository.tags()', () => {
  it('follows the pages', async () => {
    for (const tag of ['a', 'b', 'c', 'd', 'e']) registry.addManifest('team/app', tag, {}, ociManifest)
    registry.tagsPerPage = 2
    assert.deepEqual(await Array.fromAsync(repository().tags()), ['a', 'b', 'c', 'd', 'e'])
  })

  it('says that a repository is not there', async () => {
    await assert.rejects(Array.fromAsync(repository().tags()), {
      kind: 'not_found',
      message: /^repository .*team\/app not found: name unknown/,
    })
  })

  it('refuses what is no tag', async () => {
    registry.fault = () => ({ kind: 'answer', status: 200, body: '{"tags":["../x"]}' })
    await assert.rejects(Array.fromAsync(repository().tags()), /holds what is no tag/)
  })
})

describe('Repository.referrers()', () => {
  it('asks the API, and the fallback tag where there is none', async () => {
    const subject = registry.addManifest('team/app', 'v1', { schemaVersion: 2 }, ociManifest)
    const signature = { schemaVersion: 2, artifactType: 'a/sig', subject: { digest: subject.digest } }
    const { digest } = registry.addManifest('team/app', 'sig', signature, ociManifest)
    const names = async (artifactType?: string) =>
      (await repository().referrers(subject.digest, { artifactType })).map((one) => one.digest)
    assert.deepEqual(await names(), [digest])
    assert.deepEqual(await names('a/sbom'), [])

    registry.referrersApi = false
    assert.deepEqual(await names(), [])
    const manifests = [{ mediaType: ociManifest, digest, size: 1, artifactType: 'a/sig' }]
    registry.addManifest(
      'team/app',
      subject.digest.replace(':', '-'),
      { schemaVersion: 2, mediaType: ociIndex, manifests },
      ociIndex,
    )
    assert.deepEqual(await names('a/sig'), [digest])
  })
})

describe('Repository.putManifest()', () => {
  it('stores the bytes under a tag', async () => {
    const bytes = Buffer.from('{"x":1}')
    const { digest } = await repository().putManifest('v2', { bytes, mediaType: ociManifest })
    assert.equal(digest, digestOf(bytes))
    assert.deepEqual((await repository().manifest('v2')).descriptor, {
      digest,
      mediaType: ociManifest,
      size: 7,
    })
  })
})

describe('a request', () => {
  it('is made again after broken connections and 5xx, with growing pauses', async () => {
    registry.addManifest('team/app', 'v1', {}, ociManifest)
    const client = repository()
    await client.manifest('v1')
    // The first one is on a connection that was kept: that is tried again at once.
    faults(
      { kind: 'drop' },
      { kind: 'drop' },
      { kind: 'answer', status: 503 },
      { kind: 'answer', status: 502 },
    )
    await client.manifest('v1')
    assert.deepEqual(clock.pauses, [125, 250, 500])
  })

  it('gives up after so many attempts, and at once when nobody listens any more', async () => {
    registry.fault = () => ({ kind: 'answer', status: 503 })
    await assert.rejects(repository('team/app', { attempts: 3 }).manifest('v1'), { kind: 'unavailable' })
    assert.equal(registry.requests.length, 3)
    const signal = AbortSignal.abort(new Error('gone'))
    await assert.rejects(repository().manifest('v1', { signal }), /gone/)
  })

  it('is not made again for what will not change', async () => {
    registry.fault = () => ({
      kind: 'answer',
      status: 403,
      headers: { 'content-type': 'application/json' },
      body: '{"errors":[{"code":"DENIED","message":"no\\u001b[31m way\\n"}]}',
    })
    await assert.rejects(repository().manifest('v1'), {
      kind: 'not_found',
      message: `pull access denied for ${registry.host}/team/app, repository does not exist or may require 'docker login': denied: no [31m way`,
    })
    await assert.rejects(
      repository().putManifest('v1', { bytes: Buffer.from('{}'), mediaType: ociManifest }),
      {
        kind: 'permission_denied',
      },
    )
    assert.deepEqual(clock.pauses, [])
  })

  it('fails as unavailable when a registry takes it and never answers', async () => {
    const silent = opened.use(await FakeServer.start(() => undefined))
    const slow = new FakeClock()
    const limits = { connect: 1000, stall: 2000, answer: 1000 }
    const client = opened.use(openRegistryClient({ clock: slow, limits, attempts: 1 }))
    const asked = client.search(`127.0.0.1:${silent.port}`, { term: 'x', limit: 1 })
    let over = false
    const failed = assert.rejects(
      asked.finally(() => (over = true)),
      { code: 'REGISTRY_STALLED', message: /sent nothing for 2 s/ },
    )
    while (!over) await slow.advance(500)
    await failed
  })

  it('asks one that is silent just once more: each time costs the whole patience', async () => {
    let asked = 0
    const silent = opened.use(await FakeServer.start(() => void (asked += 1)))
    const slow = new FakeClock()
    const limits = { connect: 1000, stall: 2000, answer: 1000 }
    const client = opened.use(openRegistryClient({ clock: slow, limits }))
    let over = false
    const failed = assert.rejects(
      client
        .repository({ domain: `127.0.0.1:${silent.port}`, path: 'a' })
        .resolve('v1')
        .finally(() => (over = true)),
      { code: 'REGISTRY_STALLED' },
    )
    while (!over) await slow.advance(500)
    await failed
    assert.equal(asked, 2)
  })

  it('names host and reason when nobody listens', async () => {
    const { host } = registry
    await registry[Symbol.asyncDispose]()
    registry = await FakeRegistry.start()
    opened.use(registry)
    const client = opened.use(openRegistryClient({ clock, limits: watchedForHours, attempts: 2 }))
    await assert.rejects(client.repository({ domain: host, path: 'a' }).manifest('v1'), {
      kind: 'unavailable',
      message: `cannot reach registry ${host}: dial tcp ${host}: connect: connection refused`,
    })
  })
})

describe('mirrors', () => {
  it('are asked first and told the registry; what they lack comes from the registry', async () => {
    await using mirror = await FakeRegistry.start()
    const { digest } = mirror.addManifest('team/app', 'v1', { from: 'mirror' }, ociManifest)
    registry.addManifest('team/app', 'v1', { from: 'registry' }, ociManifest)
    registry.addManifest('team/app', 'v2', { from: 'registry' }, ociManifest)
    const client = repository('team/app', { mirrors: { [registry.host]: [mirror.origin] } })
    assert.equal((await client.manifest('v1')).descriptor.digest, digest)
    assert.equal(
      mirror.requests.at(-1)?.url,
      `/v2/team/app/manifests/v1?ns=${encodeURIComponent(registry.host)}`,
    )
    assert.match(Buffer.from((await client.manifest('v2')).bytes).toString(), /registry/)
    assert.ok((await client.resolve('v2')) !== undefined)
  })

  it('that are down are passed over without a pause; nothing is pushed to them', async () => {
    const down = await FakeRegistry.start()
    const url = down.origin
    await down[Symbol.asyncDispose]()
    registry.addManifest('team/app', 'v1', {}, ociManifest)
    const client = repository('team/app', { mirrors: { default: [url] } })
    await client.manifest('v1')
    await client.putManifest('v2', { bytes: Buffer.from('{}'), mediaType: ociManifest })
    assert.deepEqual(clock.pauses, [])
  })

  it('that break off are passed over for a while', async () => {
    await using mirror = await FakeRegistry.start()
    const content = Buffer.alloc(100_000)
    const blob = mirror.addBlob(content)
    registry.addBlob(content)
    mirror.fault = () => ({ kind: 'cut', after: 50_000 })
    const client = repository('team/app', { mirrors: { default: [mirror.origin] } })
    await assert.rejects(read((await client.blob(blob)).chunks), { code: 'REGISTRY_CUT' })
    assert.deepEqual(await read((await client.blob(blob)).chunks), content)
    assert.equal(mirror.requests.length, 1)
  })
})

describe('proxies', () => {
  it('are used for what is not on loopback, as the environment says', async () => {
    const seen: string[] = []
    const proxy = opened.use(
      await FakeServer.start((request, response) => {
        seen.push(request.url ?? '')
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"results":[]}')
      }),
    )
    const environment = { HTTP_PROXY: `http://127.0.0.1:${proxy.port}`, HTTPS_PROXY: 'http://127.0.0.1:1' }
    const options = { clock, limits: watchedForHours, environment, attempts: 1 }
    const client = opened.use(openRegistryClient({ ...options, insecure: ['registry.test'] }))
    assert.deepEqual(await client.search('registry.test', { term: 'x', limit: 1 }), [])
    assert.deepEqual(seen, ['http://registry.test/v1/search?q=x&n=1'])
    assert.deepEqual(await client.search(registry.host, { term: 'x', limit: 1 }), [])
    assert.equal(seen.length, 1)
  })
})

describe('RegistryClient.search()', () => {
  it('asks /v1/search and reads what can be read', async () => {
    registry.search.push(
      { name: 'team/app', description: 'An\u0007app', star_count: 3, is_official: true },
      { bad: 1 },
    )
    const client = opened.use(openRegistryClient({ clock, limits: watchedForHours }))
    assert.deepEqual(await client.search(registry.host, { term: 'app', limit: 1000 }), [
      { name: 'team/app', description: 'An app', stars: 3, official: true, automated: false },
    ])
    assert.equal(registry.requests.at(-1)?.url, '/v1/search?q=app&n=100')
    registry.fault = () => ({ kind: 'answer', status: 404 })
    await assert.rejects(client.search(registry.host, { term: 'app', limit: 1 }), /does not answer searches/)
  })
})
