import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Digest, digestOf } from '#base/digest.ts'
import { silentLogger } from '#base/logger.ts'
import { openCatalogue, type Catalogue } from './catalogue.ts'
import { fakeManifest } from './fake-manifest.ts'
import type { NewManifest } from './manifest-rows.ts'

const page = { last: undefined, limit: 100 }

function manifest(said: Partial<NewManifest> = {}): NewManifest {
  return fakeManifest({
    repository: 'a/b',
    digest: digestOf('manifest'),
    bytes: Buffer.from('manifest'),
    ...said,
  })
}

function catalogueWith(blobs: readonly Digest[] = []): Catalogue {
  const catalogue = openCatalogue(':memory:', { logger: silentLogger })
  catalogue.repositories.pushed('a/b', 1)
  for (const blob of blobs) catalogue.links.put({ repository: 'a/b', blob, size: 3, touched: 1 })
  return catalogue
}

describe('Catalogue', () => {
  it('a manifest keeps the blobs it needs', async () => {
    const blob = digestOf('abc')
    await using catalogue = catalogueWith([blob])
    catalogue.manifests.put(manifest({ blobs: [blob] }))
    assert.equal(catalogue.links.remove('a/b', blob), 'in use')
    assert.equal(catalogue.links.neededBy('a/b', blob), digestOf('manifest'))
    assert.equal(catalogue.manifests.remove('a/b', digestOf('manifest')), true)
    assert.equal(catalogue.links.remove('a/b', blob), 'removed')
    assert.equal(catalogue.links.remove('a/b', blob), 'absent')
  })

  it('a manifest cannot need a blob that its repository does not hold', async () => {
    await using catalogue = catalogueWith()
    assert.throws(() =>
      catalogue.transaction(() => catalogue.manifests.put(manifest({ blobs: [digestOf('abc')] }))),
    )
    assert.equal(catalogue.manifests.get('a/b', digestOf('manifest')), undefined)
  })

  it('a manifest takes its tags with it', async () => {
    await using catalogue = catalogueWith()
    catalogue.manifests.put(manifest({ annotations: { a: 'b' } }))
    catalogue.tags.put('a/b', 'latest', digestOf('manifest'), 3)
    catalogue.manifests.pulled('a/b', digestOf('manifest'), 4)
    catalogue.tags.pulled('a/b', 'latest', 4)
    const found = catalogue.manifests.get('a/b', digestOf('manifest'))
    assert.deepEqual([found?.pulls, found?.pulled, found?.size, found?.annotations], [1, 4, 8, { a: 'b' }])
    assert.deepEqual(catalogue.tags.get('a/b', 'latest'), {
      repository: 'a/b',
      tag: 'latest',
      manifest: digestOf('manifest'),
      pushed: 3,
      pulled: 4,
      pulls: 1,
    })
    catalogue.manifests.remove('a/b', digestOf('manifest'))
    assert.deepEqual(catalogue.tags.list('a/b', page), [])
  })

  it('lists tags whatever their case, page by page, without losing one', async () => {
    await using catalogue = catalogueWith()
    catalogue.manifests.put(manifest())
    const tags = ['a', 'A', 'B', 'b', 'c1', 'c10', 'C2']
    for (const tag of tags.toReversed()) catalogue.tags.put('a/b', tag, digestOf('manifest'), 1)
    const seen: string[] = []
    for (let last: string | undefined; ; last = seen.at(-1)) {
      const next = catalogue.tags.list('a/b', { last, limit: 2 })
      if (next.length === 0) break
      seen.push(...next.map(({ tag }) => tag))
    }
    assert.deepEqual(seen, ['A', 'a', 'B', 'b', 'c1', 'c10', 'C2'])
  })

  it('finds referrers by artifact type', async () => {
    await using catalogue = catalogueWith()
    const subject = digestOf('subject')
    const types = ['x/sig', 'x/sbom', 'x/sig']
    for (let i = 0; i < 60; i++) {
      catalogue.manifests.put(manifest({ digest: digestOf(`${i}`), subject, artifactType: types[i % 3] }))
    }
    const find = (options: { artifactType?: string; last?: string | undefined }) =>
      catalogue.manifests.referrers('a/b', subject, options).toArray()
    const all = find({}).map(({ digest }) => digest)
    assert.deepEqual(all, all.toSorted())
    assert.equal(new Set(all).size, 60)
    assert.equal(find({ artifactType: 'x/sig' }).length, 40)
    assert.equal(find({ last: all[20] }).length, 39)
  })

  it('lists repositories that have something to pull', async () => {
    await using catalogue = catalogueWith()
    assert.deepEqual(catalogue.repositories.names(page), [])
    catalogue.manifests.put(manifest())
    assert.deepEqual(catalogue.repositories.names(page), ['a/b'])
    assert.deepEqual(catalogue.repositories.names({ last: 'a/b', limit: 1 }), [])
  })

  it('keeps settings as JSON', async () => {
    await using catalogue = catalogueWith()
    catalogue.settings.put('retention.rules', [{ keep: 3 }])
    assert.deepEqual(catalogue.settings.get('retention.rules'), [{ keep: 3 }])
    assert.equal(catalogue.settings.remove('retention.rules'), true)
    assert.equal(catalogue.settings.get('retention.rules'), undefined)
  })
})
