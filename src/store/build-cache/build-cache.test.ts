import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Digest, digestOf } from '#base/digest.ts'
import { FakeClock } from '#base/fake-clock.ts'
import { imagesForTest, layerTar } from '#test/support/images.ts'
import { BuildCache } from './build-cache.ts'

function cacheForTest() {
  const images = imagesForTest()
  const { db, snapshots, store } = images
  const clock = new FakeClock()
  const cache = new BuildCache({
    db,
    snapshots,
    clock,
    pins: store.collector,
    discard: (garbage) => store.collector.discard(garbage),
  })
  return {
    ...images,
    cache,
    clock,
    /** As a solver does after a step that made a layer with this file. */
    made: async (
      file: string | undefined,
      definition = `definition of ${file}`,
      below: Digest | 'any' = 'any',
    ) => {
      await using lease = cache.lease()
      const layer = file === undefined ? undefined : (await snapshots.ingest(layerTar(file))).diffId
      if (layer !== undefined) await lease.keep([layer])
      const id = await cache.record({
        layer,
        content: digestOf(`content of ${file}`),
        definition: { key: digestOf(definition), below },
        name: `RUN ${file}`,
        stage: 'stage-0',
        instruction: `RUN ${file}`,
        files: undefined,
        parents: [],
      })
      assert.ok(id !== undefined)
      lease.use(id)
      return { id, layer }
    },
    find: async (definition: string, below: Digest | 'any' = 'any') => {
      await using lease = cache.lease()
      return await cache.find({ key: digestOf(definition), below }, lease)
    },
  }
}

describe('BuildCache.find()', () => {
  it('gives what was recorded, by either key', async () => {
    const { cache, made, find } = cacheForTest()
    const { id, layer } = await made('a')
    const found = await find('definition of a')
    assert.deepEqual(found.type === 'hit' && [found.result.id, found.result.layer], [id, layer])
    await using lease = cache.lease()
    const byContent = await cache.find({ key: digestOf('content of a'), below: '' }, lease)
    assert.equal(byContent.type === 'hit' && byContent.result.id, id)
    assert.equal(cache.contentOf(id), digestOf('content of a'))
    assert.deepEqual(await find('something else'), { type: 'unknown' })
  })

  it('gives nothing that was made on other layers', async () => {
    const { made, find } = cacheForTest()
    await made('a', 'definition', digestOf('one'))
    assert.equal((await find('definition', digestOf('one'))).type, 'hit')
    assert.equal((await find('definition', digestOf('two'))).type, 'unknown')
    assert.equal((await find('definition')).type, 'unknown')
  })

  it('knows that a step changed nothing', async () => {
    const { made, find } = cacheForTest()
    await made(undefined)
    const found = await find('definition of undefined')
    assert.equal(found.type === 'hit' && found.result.layer, undefined)
  })

  it('takes a layer that is gone for no result, and forgets it', async () => {
    const { cache, snapshots, made, find } = cacheForTest()
    const { layer } = await made('a')
    await snapshots.removeLayer(layer!)
    assert.deepEqual(await find('definition of a'), { type: 'gone' })
    assert.deepEqual(await find('definition of a'), { type: 'unknown' })
    assert.deepEqual(await cache.usage(), [])
  })

  it('takes a damaged layer for no result', async () => {
    const { snapshots, made, find, stored } = cacheForTest()
    const { layer } = await made('a')
    snapshots.corrupt(layer!)
    await snapshots.checkLayer(layer!)
    assert.deepEqual(await find('definition of a'), { type: 'gone' })
    assert.deepEqual((await stored()).layers, [])
  })
})

describe('BuildCache.record()', () => {
  it('keeps one result for the same contents and layer, whatever the definition', async () => {
    const { made, find } = cacheForTest()
    const first = await made('a', 'one way')
    const second = await made('a', 'another way')
    assert.equal(first.id, second.id)
    assert.equal((await find('one way')).type, 'hit')
  })

  it('lets a newer result take the keys of an older one, which goes with its layer', async () => {
    const { cache, snapshots, made, stored } = cacheForTest()
    await made('a')
    await using lease = cache.lease()
    const { diffId } = await snapshots.ingest(layerTar('a, built again'))
    await lease.keep([diffId])
    await cache.record({
      layer: diffId,
      content: digestOf('content of a'),
      definition: { key: digestOf('definition of a'), below: 'any' },
      name: 'RUN a',
      stage: 'stage-0',
      instruction: 'RUN a',
      files: undefined,
      parents: [],
    })
    assert.equal((await cache.usage()).length, 1)
    assert.deepEqual((await stored()).layers, ['a, built again'])
  })

  it('records nothing whose layer is not there', async () => {
    const { cache } = cacheForTest()
    const id = await cache.record({
      layer: digestOf('nowhere'),
      content: digestOf('c'),
      definition: { key: digestOf('d'), below: 'any' },
      name: '',
      stage: '',
      instruction: '',
      files: undefined,
      parents: [],
    })
    assert.equal(id, undefined)
    assert.deepEqual(await cache.usage(), [])
  })

  it('forgets the oldest of very many definitions', async () => {
    const { cache, clock, made, find } = cacheForTest()
    const { id } = await made('a', 'way 0')
    for (let i = 1; i < 40; i++) {
      await clock.advance(1)
      cache.link(id, { key: digestOf(`way ${i}`), below: 'any' })
    }
    assert.equal((await find('way 0')).type, 'unknown')
    assert.equal((await find('way 39')).type, 'hit')
    assert.equal((await find('way 20')).type, 'hit')
    const [item] = await cache.usage()
    assert.equal(cache.contentOf(item!.id), digestOf('content of a'))
  })
})

describe('what is kept', () => {
  it('are layers of results, without any image', async () => {
    const { made, store, stored } = cacheForTest()
    await made('a')
    await store.collector.collectAll()
    assert.deepEqual((await stored()).layers, ['a'])
  })

  it('are layers that an image had, when it goes', async () => {
    const { image, made, store, removal, stored } = cacheForTest()
    await image({ layers: ['a', 'b'], names: ['x:1'] })
    await made('a')
    await removal.remove('x:1', { force: false, noprune: false })
    assert.deepEqual((await stored()).layers, ['a'])
    assert.deepEqual([...store.layers.sizes().keys()].length, 1)
  })

  it('are layers that a lease keeps, until it is let go', async () => {
    const { cache, image, store, removal, stored } = cacheForTest()
    const id = await image({ layers: ['a'], names: ['x:1'] })
    const lease = cache.lease()
    await lease.keep(store.rows.layers(id))
    await removal.remove('x:1', { force: false, noprune: false })
    assert.deepEqual((await stored()).layers, ['a'])
    assert.equal(store.collector.isHeld, true)
    await lease[Symbol.asyncDispose]()
    assert.deepEqual((await stored()).layers, [])
    assert.equal(store.collector.isHeld, false)
  })
})

describe('BuildCache.remove()', () => {
  it('frees what usage() says, and says so', async () => {
    const { cache, made, stored } = cacheForTest()
    const results = [await made('a'), await made('b'), await made(undefined)]
    const usage = await cache.usage()
    const { removed, space } = await cache.remove(results.map(({ id }) => id))
    assert.equal(removed.length, 3)
    assert.equal(
      space,
      usage.reduce((sum, { size }) => sum + size, 0),
    )
    assert.ok(space > 0)
    assert.deepEqual((await stored()).layers, [])
  })

  it('frees nothing of what an image has', async () => {
    const { cache, image, made, stored } = cacheForTest()
    await image({ layers: ['a'], names: ['x:1'] })
    const { id } = await made('a')
    assert.equal((await cache.usage())[0]?.shared, true)
    assert.deepEqual(await cache.remove([id]), { removed: [id], space: 0 })
    assert.deepEqual((await stored()).layers, ['a'])
  })

  it('leaves what a running build has', async () => {
    const { cache, made } = cacheForTest()
    const { id } = await made('a')
    const lease = cache.lease()
    await cache.find({ key: digestOf('definition of a'), below: 'any' }, lease)
    assert.equal((await cache.usage())[0]?.inUse, true)
    assert.deepEqual(await cache.remove([id]), { removed: [], space: 0 })
    await lease[Symbol.asyncDispose]()
    assert.deepEqual((await cache.remove([id])).removed, [id])
  })

  it('counts a layer of two results once', async () => {
    const { cache, snapshots, made } = cacheForTest()
    const { id, layer } = await made('a')
    await using lease = cache.lease()
    await lease.keep([layer!])
    const other = await cache.record({
      layer,
      content: digestOf('other content'),
      definition: { key: digestOf('other definition'), below: 'any' },
      name: 'RUN other',
      stage: 'stage-0',
      instruction: 'RUN other',
      files: undefined,
      parents: [id],
    })
    const size = await snapshots.layerSpace(layer!)
    const usage = await cache.usage()
    assert.equal(
      usage.reduce((sum, each) => sum + each.size, 0),
      size,
    )
    assert.deepEqual(usage.find(({ id: each }) => each === other)?.parents, [id])
    assert.deepEqual(await cache.remove([id]), { removed: [id], space: 0 })
    await lease[Symbol.asyncDispose]()
    assert.deepEqual(await cache.remove([other!]), { removed: [other], space: size })
  })
})

describe('BuildCache.usage()', () => {
  it('counts the builds that had a result, and when that was', async () => {
    const { cache, clock, made, find } = cacheForTest()
    await made('a')
    await clock.advance(5000)
    await find('definition of a')
    const [item] = await cache.usage()
    assert.equal(item?.uses, 2)
    assert.equal(item?.usedAt, clock.now().getTime())
    assert.equal(item?.createdAt, clock.now().getTime() - 5000)
  })
})
