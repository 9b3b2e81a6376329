import assert from 'node:assert/strict'
import { it } from 'node:test'
import { FakeClock } from '#base/fake-clock.ts'
import { silentLogger } from '#base/logger.ts'
import { type Digest, digestOf } from '#base/digest.ts'
import { chunks } from './blob-storage.suite.ts'
import { openCatalogue } from './catalogue.ts'
import { checkStorage } from './check.ts'
import { MemoryBlobs } from './memory-blobs.ts'

const signal = new AbortController().signal

async function registryWith(layer: string) {
  const catalogue = openCatalogue(':memory:', { logger: silentLogger })
  const blobs = new MemoryBlobs({ clock: new FakeClock() })
  const upload = await blobs.upload(await blobs.begin())
  await upload.append(chunks(layer), { limit: 1000 })
  const blob = digestOf(layer)
  await upload.commit(blob)
  const bytes = Buffer.from('{}')
  const manifest = { repository: 'team/app', digest: digestOf('{}'), bytes, blobs: [blob], children: [] }
  catalogue.transaction(() => {
    catalogue.repositories.pushed('team/app', 1)
    catalogue.links.put({ repository: 'team/app', blob, size: layer.length, touched: 1 })
    catalogue.manifests.put({
      ...manifest,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      artifactType: undefined,
      config: undefined,
      subject: undefined,
      annotations: undefined,
      contentSize: layer.length,
      pushed: 1,
    })
    catalogue.tags.put('team/app', '1', digestOf('{}'), 1)
  })
  return { catalogue, blobs, blob, [Symbol.asyncDispose]: () => catalogue[Symbol.asyncDispose]() }
}

it('checkStorage() finds nothing where nothing is wrong', async () => {
  await using registry = await registryWith('layer')
  assert.deepEqual(await Array.fromAsync(checkStorage(registry, { signal })), [])
})

it('checkStorage() names blobs with other bytes, and takes them away when asked', async () => {
  await using registry = await registryWith('layer')
  const { blobs, blob } = registry
  const damaged = {
    ...registry,
    blobs: Object.assign(Object.create(blobs) as MemoryBlobs, {
      read: async () => chunks('l4yer'),
      remove: (digest: Digest) => blobs.remove(digest),
    }),
  }
  const [found, ...others] = await Array.fromAsync(checkStorage(damaged, { signal }))
  assert.deepEqual(others, [])
  assert.equal(found?.digest, blob)
  assert.deepEqual(found.images, ['team/app:1'])
  assert.match(found.problem, /other content/)
  await found.remove?.()
  assert.equal(await blobs.stat(blob), undefined)
})

it('checkStorage() names missing blobs and damaged manifests', async () => {
  await using registry = await registryWith('layer')
  const { blobs, blob, catalogue } = registry
  await blobs.remove(blob)
  catalogue.db.run(`UPDATE manifests SET bytes = ?`, [Buffer.from('{ }')])
  const found = await Array.fromAsync(checkStorage(registry, { signal }))
  assert.deepEqual(
    found.map(({ kind, problem, remove }) => [kind, problem, remove]),
    [
      ['manifest', 'has other content than its digest says', undefined],
      ['blob', 'is missing', undefined],
    ],
  )
})
