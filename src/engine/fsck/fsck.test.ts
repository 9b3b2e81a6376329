import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Finding } from '#api/finding.ts'
import { systemClock } from '#base/clock.ts'
import { type Digest, digestOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { silentLogger } from '#base/logger.ts'
import { KeyedMutex } from '#base/mutex.ts'
import { BuildCache } from '#store/build-cache/build-cache.ts'
import { ContainerRows } from '#store/containers.ts'
import { imagesForTest, layerTar } from '#test/support/images.ts'
import { ContainerRegistry } from '../containers/registry.ts'
import type { FsckMessage } from '../services.ts'
import { knownObjects } from '../system/known-objects.ts'
import { Fsck } from './fsck.ts'
import type { LayerSource } from './layer-source.ts'

let dataRoot: string

beforeEach(async () => {
  dataRoot = await mkdtemp(join(tmpdir(), 'berth-fsck-'))
})
afterEach(() => rm(dataRoot, { recursive: true, force: true }))

function fsckForTest(layerSource?: LayerSource) {
  const images = imagesForTest()
  const { db, store, snapshots } = images
  const registry = new ContainerRegistry(new ContainerRows(db), silentLogger)
  const fsck = new Fsck({
    db,
    registry,
    snapshots,
    dataRoot,
    images: store,
    layerSource,
    locks: new KeyedMutex(),
    helper: { removeTree: (path) => rm(path, { recursive: true, force: true }) },
    known: () => knownObjects({ db, registry, images: store }),
    clock: Date.now,
  })
  return { ...images, fsck }
}

async function findings(messages: AsyncIterable<FsckMessage>): Promise<Finding[]> {
  const all = await Array.fromAsync(messages)
  const found = all.flatMap(({ finding }) => finding ?? [])
  assert.deepEqual(all.at(-1)?.summary, {
    findings: found.length,
    repaired: found.filter(({ repaired }) => repaired).length,
  })
  return found
}

async function firstLayer(store: ReturnType<typeof fsckForTest>['store'], id: Digest): Promise<Digest> {
  const [layer] = store.rows.layers(id)
  assert.ok(layer)
  return layer
}

describe('Fsck.check()', () => {
  it('finds nothing where nothing is wrong', async () => {
    const { fsck, image } = fsckForTest()
    await image({ layers: ['a', 'b'], names: ['x:1'] })
    assert.deepEqual(await findings(fsck.check({ repair: false })), [])
  })

  it('names the damaged layer, the images that have it, and what to do without a source', async () => {
    const { fsck, image, snapshots, store } = fsckForTest()
    const id = await image({ layers: ['a', 'b'], names: ['x:1'] })
    const layer = await firstLayer(store, id)
    snapshots.corrupt(layer)
    const [found, ...others] = await findings(fsck.check({ repair: true }))
    assert.deepEqual(others, [])
    assert.deepEqual(found?.object, { kind: 'layer', name: layer })
    assert.match(found.problem, /its archive has the digest sha256:/)
    assert.deepEqual(found.damage, { images: ['x:1'], containers: [] })
    assert.equal(found.action, 'pull, load or build x:1 again')
    assert.equal(found.repaired, false)
    // Whoever brings it again replaces it.
    assert.equal(await snapshots.layer(layer), undefined)
    await image({ layers: ['a'], names: ['y:1'] })
    assert.deepEqual(await findings(fsck.check({ repair: false })), [])
  })

  it('fetches a damaged or missing layer again, alone, from where it came', async () => {
    const fetched: string[] = []
    const source: LayerSource = {
      async *fetch(diffId, { blobs }) {
        fetched.push(`${diffId} ${blobs.map(({ repository }) => repository).join()}`)
        yield* layerTar('a')
      },
    }
    const { fsck, image, snapshots, store } = fsckForTest(source)
    const id = await image({ layers: ['a', 'b'], names: ['x:1'] })
    const diffId = await firstLayer(store, id)
    const mediaType = 'application/vnd.oci.image.layer.v1.tar'
    store.layerBlobs.put({ diffId, repository: 'here:5000/x', digest: diffId, mediaType, size: 1 })
    for (const damage of [async () => snapshots.corrupt(diffId), () => snapshots.removeLayer(diffId)]) {
      await damage()
      const [before] = await findings(fsck.check({ repair: false }))
      assert.match(before?.action ?? '', /^repair will fetch it again from here:5000\/x; or pull/)
      const [found] = await findings(fsck.check({ repair: true }))
      assert.equal(found?.repaired, true)
      assert.equal(found.action, 'done: fetch it again from here:5000/x')
      assert.deepEqual(await findings(fsck.check({ repair: false })), [])
    }
    assert.deepEqual(fetched, [`${diffId} here:5000/x`, `${diffId} here:5000/x`])
  })

  it('forgets what the build cache alone has of a damaged or missing layer', async () => {
    const { db, fsck, snapshots, store } = fsckForTest()
    const cache = new BuildCache({
      db,
      snapshots,
      clock: systemClock,
      pins: store.collector,
      discard: (garbage) => store.collector.discard(garbage),
    })
    for (const damage of [
      async (id: Digest) => snapshots.corrupt(id),
      (id: Digest) => snapshots.removeLayer(id),
    ]) {
      const { diffId } = await snapshots.ingest(layerTar('made by a step'))
      const made = {
        name: 'RUN make',
        stage: 'build',
        instruction: 'RUN make',
        files: undefined,
        parents: [],
      }
      const [content, key] = [digestOf('content'), digestOf('definition')]
      await cache.record({ ...made, layer: diffId, content, definition: { key, below: 'any' } })
      assert.deepEqual(await findings(fsck.check({ repair: false })), [])

      await damage(diffId)

      const [found] = await findings(fsck.check({ repair: true }))
      assert.deepEqual(found?.object, { kind: 'layer', name: diffId })
      assert.equal(found.action, 'done: forget what builds have made with it')
      assert.deepEqual(await findings(fsck.check({ repair: false })), [])
      assert.deepEqual(await cache.usage(), [])
    }
  })

  it('does not believe what a source sends', async () => {
    const source: LayerSource = { fetch: () => layerTar('something else') }
    const { fsck, image, snapshots, store } = fsckForTest(source)
    const diffId = await firstLayer(store, await image({ names: ['x:1'] }))
    store.layerBlobs.put({ diffId, repository: 'r/x', digest: diffId, mediaType: 'x', size: 1 })
    await snapshots.removeLayer(diffId)
    const [found] = await findings(fsck.check({ repair: true }))
    assert.equal(found?.repaired, false)
    assert.match(found.action, /the repair failed: layer has digest .* instead of/)
  })

  it('finds damaged and missing configurations', async () => {
    const { fsck, image, content } = fsckForTest()
    const damaged = await image({ layers: ['a'], names: ['x:1'] })
    const missing = await image({ layers: ['b'], names: ['y:1'] })
    content.corrupt(damaged, Buffer.alloc(0))
    await content.remove(missing)
    const found = await findings(fsck.check({ repair: true }))
    assert.deepEqual(
      new Set(
        found.map(({ object, problem, damage }) => `${object.name} ${problem} ${damage.images.join()}`),
      ),
      new Set([`${damaged} has other content than its digest says x:1`, `${missing} is missing y:1`]),
    )
  })

  it('finds names that lead to a manifest that is not kept, and rows that are not those of the configuration', async () => {
    const { fsck, image, store, db } = fsckForTest()
    const id = await image({ layers: ['a', 'b'], names: ['x:1'] })
    store.references.put('docker.io/library/x:1', id, undefined, `sha256:${'9'.repeat(64)}`)
    db.run('DELETE FROM image_layers WHERE position = 1')
    const found = await findings(fsck.check({ repair: true }))
    assert.deepEqual(
      found.map(({ object, repaired }) => [object.kind, repaired]),
      [
        ['image', false],
        ['reference', true],
      ],
    )
    assert.equal(store.references.target('docker.io/library/x:1'), undefined)
  })

  it('runs once at a time, and ends when the caller leaves', async () => {
    const { fsck, image } = fsckForTest()
    await image()
    const first = fsck.check({ repair: false })[Symbol.asyncIterator]()
    await first.next()
    await assert.rejects(findings(fsck.check({ repair: false })), (error) => isKind(error, 'conflict'))
    await first.return?.()
    assert.deepEqual(await findings(fsck.check({ repair: false })), [])
    const signal = AbortSignal.abort()
    await assert.rejects(findings(fsck.check({ repair: false, signal })))
  })
})
