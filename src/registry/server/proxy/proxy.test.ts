import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { EngineError, isKind } from '#base/errors.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { FileIngests } from '#store/ingests/file-ingests.ts'
import { Metrics } from '../metrics/metrics.ts'
import { openCatalogue } from '../storage/catalogue.ts'
import { MemoryBlobs } from '../storage/memory-blobs.ts'
import { BlobCache } from './blob-cache.ts'
import { FakeUpstream } from './fake-upstream.ts'
import { ManifestCache } from './manifest-cache.ts'
import { ProxyStatistics } from './statistics.ts'
import { readUpstreams, Upstreams } from './upstreams.ts'

/** A cache of `docker.io` under `hub`, with one image upstream. */
async function bench() {
  const root = await mkdtemp(join(tmpdir(), 'berth-proxy-'))
  const catalogue = openCatalogue(':memory:', { logger: silentLogger })
  const upstream = new FakeUpstream()
  const clock = new FakeClock()
  const metrics = new Metrics()
  const ingests = new FileIngests({ dataRoot: root, logger: silentLogger })
  await ingests.recover()
  const deps = {
    catalogue,
    blobs: new MemoryBlobs(),
    ingests,
    client: upstream,
    clock,
    logger: silentLogger,
    statistics: new ProxyStatistics(metrics),
  }
  const hub = new Upstreams(readUpstreams([{ upstream: 'https://registry-1.docker.io', prefix: 'hub' }]))
  const alpine = hub.locate('hub/alpine') ?? assert.fail()
  const blobs = new BlobCache(deps)
  return {
    ...deps,
    metrics,
    hub,
    alpine,
    upstream,
    cache: new ManifestCache(deps),
    blobCache: blobs,
    async [Symbol.asyncDispose]() {
      upstream.release()
      await blobs.close()
      await catalogue[Symbol.asyncDispose]()
      await rm(root, { recursive: true, force: true })
    },
  }
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks))
}

const away = new EngineError('unavailable', 'away', { code: 'REGISTRY_UNREACHABLE' })

describe('Upstreams', () => {
  const upstreams = new Upstreams(
    readUpstreams([
      { upstream: 'https://registry-1.docker.io', prefix: 'hub' },
      { upstream: 'https://quay.io', prefix: 'hub/quay' },
      { upstream: 'http://harbor.test:8080/cache', prefix: 'h' },
    ]),
  )
  const source = (name: string, ns?: string): string | undefined => {
    const found = upstreams.locate(name, ns)
    return found && `${found.name} = ${found.source.domain}/${found.source.path}`
  }

  it('takes the longest prefix, and adds library/ for Docker Hub', () => {
    assert.equal(source('hub/alpine'), 'hub/library/alpine = docker.io/library/alpine')
    assert.equal(source('hub/library/alpine'), 'hub/library/alpine = docker.io/library/alpine')
    assert.equal(source('hub/quay/org/x'), 'hub/quay/org/x = quay.io/org/x')
    assert.equal(source('h/x'), 'h/x = harbor.test:8080/cache/x')
    assert.equal(source('hubble/x'), undefined)
    assert.equal(source('hub'), undefined)
  })

  it('goes by ?ns= where clients say which registry they mean', () => {
    assert.equal(source('library/alpine', 'docker.io'), 'hub/library/alpine = docker.io/library/alpine')
    assert.equal(source('org/x', 'quay.io'), 'hub/quay/org/x = quay.io/org/x')
    assert.equal(source('org/x', 'ghcr.io'), undefined)
  })

  it('refuses settings that would not work', () => {
    assert.throws(() => readUpstreams([{ upstream: 'https://a' }, { upstream: 'https://b' }]), /same prefix/)
    assert.throws(() => readUpstreams([{ upstream: 'https://a', prefix: 'A/' }]), /cannot begin/)
  })
})

describe('ManifestCache', () => {
  it('asks for a tag again by HEAD after its time, and never for a digest', async () => {
    await using t = await bench()
    const { manifest } = t.upstream.addImage('library/alpine', '3', Buffer.from('one'))
    const first = await t.cache.manifest(t.alpine, '3')
    assert.equal(first.descriptor.digest, manifest)
    await t.cache.manifest(t.alpine, '3')
    await t.cache.manifest(t.alpine, manifest)
    assert.deepEqual([t.upstream.count(/^HEAD/), t.upstream.count(/^GET/)], [1, 1])

    await t.clock.advance(5 * 60_000)
    await t.cache.manifest(t.alpine, '3')
    assert.deepEqual([t.upstream.count(/^HEAD/), t.upstream.count(/^GET/)], [2, 1])

    const moved = t.upstream.addImage('library/alpine', '3', Buffer.from('two'))
    await t.clock.advance(5 * 60_000)
    assert.equal((await t.cache.manifest(t.alpine, '3')).descriptor.digest, moved.manifest)
    assert.equal(t.upstream.count(/^GET/), 2)
  })

  it('answers HEAD without fetching', async () => {
    await using t = await bench()
    const { manifest } = t.upstream.addImage('library/alpine', '3', Buffer.from('one'))
    assert.equal((await t.cache.resolve(t.alpine, '3')).descriptor.digest, manifest)
    assert.equal(t.upstream.count(/^GET/), 0)
  })

  it('asks once for many', async () => {
    await using t = await bench()
    t.upstream.addImage('library/alpine', '3', Buffer.from('one'))
    await Promise.all(Array.from({ length: 20 }, () => t.cache.manifest(t.alpine, '3')))
    assert.deepEqual([t.upstream.count(/^HEAD/), t.upstream.count(/^GET/)], [1, 1])
  })

  it('serves what it has, stale, while the upstream is away, and leaves the upstream alone for a while', async () => {
    await using t = await bench()
    const { manifest } = t.upstream.addImage('library/alpine', '3', Buffer.from('one'))
    await t.cache.manifest(t.alpine, '3')
    t.upstream.failure = away
    await t.clock.advance(5 * 60_000)
    const answers = [await t.cache.manifest(t.alpine, '3'), await t.cache.manifest(t.alpine, '3')]
    assert.deepEqual(
      answers.map(({ descriptor, stale }) => [descriptor.digest, stale]),
      [
        [manifest, true],
        [manifest, true],
      ],
    )
    assert.equal(t.upstream.count(/^HEAD/), 2)
    await assert.rejects(t.cache.manifest(t.alpine, 'other'), (error) => isKind(error, 'unavailable'))
    t.upstream.failure = undefined
    await t.clock.advance(10_000)
    assert.equal((await t.cache.manifest(t.alpine, '3')).stale, false)
  })

  it('passes on 429 with the seconds to wait, when it has nothing', async () => {
    await using t = await bench()
    t.upstream.failure = new EngineError('resource_exhausted', 'toomanyrequests: …', {
      code: 'REGISTRY_LIMITED',
      details: { retryAfter: 90_500 },
    })
    await assert.rejects(t.cache.manifest(t.alpine, '3'), (error) => {
      assert.ok(error instanceof EngineError && error.kind === 'resource_exhausted')
      assert.equal(error.details['retryAfter'], 91)
      return true
    })
  })

  it('says in seconds how long an upstream that is away wants to be left alone', async () => {
    await using t = await bench()
    t.upstream.failure = new EngineError('unavailable', 'unexpected status 503', {
      code: 'REGISTRY_UNAVAILABLE',
      details: { status: 503, retryAfter: 30_000 },
    })
    await assert.rejects(t.cache.manifest(t.alpine, '3'), {
      kind: 'unavailable',
      details: { retryAfter: 30 },
    })
  })

  it('leaves an upstream alone for as long as it asks, where it has an answer', async () => {
    await using t = await bench()
    t.upstream.addImage('library/alpine', '3', Buffer.from('one'))
    await t.cache.manifest(t.alpine, '3')
    t.upstream.failure = new EngineError('resource_exhausted', 'slow down', {
      code: 'REGISTRY_LIMITED',
      details: { retryAfter: 60_000 },
    })
    await t.clock.advance(5 * 60_000)
    assert.equal((await t.cache.manifest(t.alpine, '3')).stale, true)
    await t.clock.advance(59_000)
    await t.cache.manifest(t.alpine, '3')
    assert.equal(t.upstream.count(/^HEAD/), 2)
    await t.clock.advance(1000)
    await t.cache.manifest(t.alpine, '3')
    assert.equal(t.upstream.count(/^HEAD/), 3)
  })

  it('says "unknown" where the upstream refuses, as if the repository did not exist', async () => {
    await using t = await bench()
    t.upstream.failure = new EngineError('unauthenticated', 'no', { code: 'REGISTRY_DENIED' })
    await assert.rejects(t.cache.manifest(t.alpine, '3'), { kind: 'not_found', code: 'MANIFEST_UNKNOWN' })
  })

  it('forgets a tag that is gone upstream', async () => {
    await using t = await bench()
    t.upstream.addImage('library/alpine', '3', Buffer.from('one'))
    await t.cache.manifest(t.alpine, '3')
    t.upstream.failure = new EngineError('not_found', 'gone', { code: 'REGISTRY_NOT_FOUND' })
    await t.clock.advance(5 * 60_000)
    await assert.rejects(t.cache.manifest(t.alpine, '3'), { kind: 'not_found' })
    assert.equal(t.catalogue.tags.get('hub/library/alpine', '3'), undefined)
  })
})

describe('BlobCache', () => {
  const layer = randomBytes(50_000)

  it('fetches once for 20 that read while it grows', async () => {
    await using t = await bench()
    const image = t.upstream.addImage('library/alpine', '3', layer)
    await t.cache.manifest(t.alpine, '3')
    t.upstream.pauseAt = 20_000
    const first = (await (await t.blobCache.open(t.alpine, image.layer)).read())[Symbol.asyncIterator]()
    const seen = [((await first.next()).value as Uint8Array).length]
    const others = Array.from({ length: 19 }, async () =>
      bytesOf(await (await t.blobCache.open(t.alpine, image.layer)).read()),
    )
    assert.ok((seen[0] ?? 0) > 0, 'bytes came before the upstream had sent all')
    t.upstream.release()
    for (const bytes of await Promise.all(others)) assert.ok(bytes.equals(layer))
    for (let next = await first.next(); next.done !== true; next = await first.next()) {
      seen.push(next.value.length)
    }
    assert.equal(
      seen.reduce((sum, length) => sum + length),
      layer.length,
    )
    assert.equal(t.upstream.count(/GET library\/alpine blob/), 1)

    await t.blobCache.idle()
    const again = await t.blobCache.open(t.alpine, image.layer)
    assert.ok((await bytesOf(await again.read({ offset: 10, end: 20 }))).equals(layer.subarray(10, 20)))
    assert.equal(t.upstream.count(/GET library\/alpine blob/), 1)
    assert.deepEqual(t.catalogue.manifests.blobsOf('hub/library/alpine', image.manifest), [image.layer])
    assert.deepEqual(await t.ingests.list(), [])
  })

  it('goes on after a cut where it was', async () => {
    await using t = await bench()
    const image = t.upstream.addImage('library/alpine', '3', layer)
    await t.cache.manifest(t.alpine, '3')
    t.upstream.cuts.push(20_000)
    const reading = bytesOf(await (await t.blobCache.open(t.alpine, image.layer)).read())
    while (t.clock.sleeping.length === 0) await new Promise(setImmediate)
    await t.clock.advance(1000)
    assert.ok((await reading).equals(layer))
    assert.equal(t.upstream.count(/blob .* from 20000/), 1)
  })

  it('goes on after a restart where it was', async () => {
    await using t = await bench()
    const image = t.upstream.addImage('library/alpine', '3', layer)
    await t.cache.manifest(t.alpine, '3')
    t.upstream.pauseAt = 20_000
    const cut = bytesOf(await (await t.blobCache.open(t.alpine, image.layer)).read())
    while (!t.metrics.render().includes('fetched_bytes_total 20000')) await new Promise(setImmediate)
    await Promise.all([assert.rejects(cut), t.blobCache.close()])
    t.upstream.release()
    const next = new BlobCache(t)
    assert.ok((await bytesOf(await (await next.open(t.alpine, image.layer)).read())).equals(layer))
    await next.close()
    const starts = t.upstream.asked.flatMap((line) => / blob .* from (\d+)/.exec(line)?.[1] ?? [])
    assert.deepEqual(starts, ['0', '20000'])
  })

  it('gives one that asks up when it leaves, and goes on for the others', async () => {
    await using t = await bench()
    const image = t.upstream.addImage('library/alpine', '3', layer)
    await t.cache.manifest(t.alpine, '3')
    t.upstream.pauseAt = 20_000
    const leaving = new AbortController()
    const { signal } = leaving
    const left = bytesOf(await (await t.blobCache.open(t.alpine, image.layer, { signal })).read())
    const stays = bytesOf(await (await t.blobCache.open(t.alpine, image.layer)).read())
    leaving.abort(new Error('gone'))
    await assert.rejects(left, /gone/)
    t.upstream.release()
    assert.ok((await stays).equals(layer))
  })

  it('hands out no whole blob that has another digest, and keeps nothing of it', async () => {
    await using t = await bench()
    const image = t.upstream.addImage('library/alpine', '3', layer)
    await t.cache.manifest(t.alpine, '3')
    t.upstream.corrupt('library/alpine', image.layer, randomBytes(layer.length))
    let received = 0
    await assert.rejects(async () => {
      const blob = await t.blobCache.open(t.alpine, image.layer)
      for await (const chunk of await blob.read()) received += chunk.length
    }, /digest/)
    assert.ok(received < layer.length)
    await t.blobCache.idle()
    assert.equal(await t.blobs.stat(image.layer), undefined)
    assert.deepEqual(await t.ingests.list(), [])
  })

  it('fetches a blob again whose file is damaged', async () => {
    await using t = await bench()
    const image = t.upstream.addImage('library/alpine', '3', layer)
    await t.cache.manifest(t.alpine, '3')
    const read = async () => bytesOf(await (await t.blobCache.open(t.alpine, image.layer)).read())
    await read()
    await t.blobCache.idle()
    t.blobs.stat = async () => ({ size: 10, touched: 0 })
    assert.ok((await read()).equals(layer))
    assert.equal(t.upstream.count(/GET library\/alpine blob/), 2)
  })

  it('does not hand a blob of one repository to another that only names it', async () => {
    await using t = await bench()
    const secret = t.upstream.addImage('org/secret', '1', layer)
    t.upstream.addImage('evil/x', '1', layer)
    const from = t.hub.locate('hub/org/secret') ?? assert.fail()
    const to = t.hub.locate('hub/evil/x') ?? assert.fail()
    await t.cache.manifest(from, '1')
    await t.cache.manifest(to, '1')
    await bytesOf(await (await t.blobCache.open(from, secret.layer)).read())
    await t.blobCache.idle()
    const shared = await t.blobCache.open(to, secret.layer)
    assert.ok((await bytesOf(await shared.read())).equals(layer))
    assert.deepEqual([t.upstream.count(/GET .* blob/), t.upstream.count(/HEAD evil\/x blob/)], [1, 1])
    await assert.rejects(t.blobCache.open(t.alpine, secret.layer), { kind: 'not_found' })
  })
})
