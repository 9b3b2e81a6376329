import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Digest } from '#base/digest.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { Upstreams } from '../proxy/upstreams.ts'
import { openCatalogue } from '../storage/catalogue.ts'
import { MemoryBlobs } from '../storage/memory-blobs.ts'
import { fakeManifest } from '../storage/fake-manifest.ts'
import { readSettings } from './operations.ts'
import { Upkeep } from './upkeep.ts'

const HOUR = 3_600_000

async function bench(settings: Readonly<Record<string, unknown>>) {
  const clock = new FakeClock()
  const catalogue = openCatalogue(':memory:', { logger: silentLogger })
  const told: string[] = []
  const upkeep = new Upkeep({
    listener: ({ action, repository, tag, actor }) => told.push(`${actor} ${action} ${repository}:${tag}`),
    ...readSettings({ setting: (key) => settings[key], mirrorOf: undefined }),
    catalogue,
    blobs: new MemoryBlobs({ clock }),
    clock,
    logger: silentLogger,
  })
  const put = (repository: string, letter: string, tag?: string): Digest => {
    const now = clock.now().getTime()
    const digest: Digest = `sha256:${letter.repeat(64)}`
    catalogue.repositories.pushed(repository, now)
    catalogue.manifests.put(fakeManifest({ repository, digest, pushed: now }))
    if (tag !== undefined) catalogue.tags.put(repository, tag, digest, now)
    return digest
  }
  const left = (repository: string): string[] =>
    catalogue.manifests.list(repository, { last: undefined, limit: 100 }).map(({ digest }) => digest[7] ?? '')
  return {
    clock,
    catalogue,
    upkeep,
    told,
    put,
    left,
    [Symbol.asyncDispose]: () => catalogue[Symbol.asyncDispose](),
  }
}

describe('Upkeep', () => {
  it('collects what retention rules leave without a tag, and untagged manifests nowhere else', async () => {
    await using t = await bench({ retention: [{ repositories: ['team/**'], keepTags: ['v*'] }] })
    t.put('team/app', 'a', 'v1')
    t.put('team/app', 'b', 'nightly')
    t.put('other/app', 'c')
    await t.clock.advance(HOUR + 1)
    const dry = await t.upkeep.run({ dryRun: true })
    assert.equal(dry.retention.deleted.length, 1)
    assert.deepEqual(t.left('team/app'), ['a', 'b'])
    await t.upkeep.run()
    assert.deepEqual(t.left('team/app'), ['a'])
    assert.deepEqual(t.told, ['retention delete team/app:nightly'])
    assert.deepEqual(t.left('other/app'), ['c'])
  })

  it('evicts from caches what nobody has pulled for long, and from nowhere else', async () => {
    await using t = await bench({ proxy: [{ prefix: 'hub', upstream: 'https://docker.io', keep: '2d' }] })
    t.put('hub/library/x', 'a', 'old')
    const pulled = t.put('hub/library/x', 'b', 'used')
    t.put('own/x', 'c', 'old')
    await t.clock.advance(47 * HOUR)
    t.catalogue.manifests.pulled('hub/library/x', pulled, t.clock.now().getTime())
    await t.clock.advance(2 * HOUR)
    await t.upkeep.run()
    assert.deepEqual(t.left('hub/library/x'), ['b'])
    assert.deepEqual(t.left('own/x'), ['c'])
    assert.equal(t.catalogue.tags.get('hub/library/x', 'old'), undefined)
  })

  it('readSettings() makes the whole registry a cache for --mirror-of', () => {
    const { upstreams } = readSettings({ setting: () => undefined, mirrorOf: 'https://registry-1.docker.io' })
    assert.ok(upstreams instanceof Upstreams)
    assert.equal(upstreams.locate('alpine')?.name, 'library/alpine')
    assert.throws(() => readSettings({ setting: () => undefined, mirrorOf: 'nonsense' }), /want an http/)
  })
})
