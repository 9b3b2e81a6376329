import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hexOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import { parseReference } from '#oci/reference.ts'
import { imagesForTest, layerTar } from '#test/support/images.ts'
import { encodeJson } from './manifest.ts'

describe('ImageStore.lookup()', () => {
  it('finds by name, id, short id and digest', async () => {
    const { store, image } = imagesForTest()
    const digest = `sha256:${'ab'.repeat(32)}` as const
    const id = await image({ names: ['alpine:3', `alpine@${digest}`] })
    const hex = hexOf(id)
    const refs = ['alpine:3', 'docker.io/library/alpine:3', id, hex, hex.slice(0, 12), id.slice(0, 20)]
    for (const ref of [...refs, `alpine@${digest}`, `alpine:other@${digest}`]) {
      assert.equal(store.lookup(ref), id, ref)
    }
  })

  it('takes latest when there is no tag', async () => {
    const { store, image } = imagesForTest()
    const id = await image({ names: ['alpine'] })
    assert.equal(store.lookup('alpine'), id)
    assert.equal(store.lookup('alpine:latest'), id)
  })

  it('prefers a name to the beginning of an id', async () => {
    const { store, image } = imagesForTest()
    const one = await image({ layers: ['one'] })
    const two = await image({ layers: ['two'], names: [hexOf(one).slice(0, 6)] })
    assert.equal(store.lookup(hexOf(one).slice(0, 6)), two)
    assert.equal(store.lookup(hexOf(one).slice(0, 8)), one)
  })

  for (const [ref, shown] of [
    ['nobody', 'nobody:latest'],
    ['docker.io/library/nobody:1', 'nobody:1'],
    ['abcdef', 'abcdef:latest'],
    ['f'.repeat(64), `sha256:${'f'.repeat(64)}`],
  ] as const) {
    it(`says which image is missing for ${ref.slice(0, 30)}`, () => {
      const { store } = imagesForTest()
      assert.throws(
        () => store.lookup(ref),
        (error) => isKind(error, 'not_found') && (error as Error).message === `No such image: ${shown}`,
      )
    })
  }

  it('refuses what is not a reference', () => {
    const { store } = imagesForTest()
    for (const ref of ['', 'Foo', '../../x', 'a b', 'a\0']) {
      assert.throws(
        () => store.lookup(ref),
        (error) => isKind(error, 'invalid_argument'),
        ref,
      )
    }
  })

  it('does not find an ambiguous short id', async () => {
    const { store, image } = imagesForTest()
    for (let n = 0; n < 20; n++) await image({ layers: [String(n)] })
    const first = store.rows.list().map(({ id }) => hexOf(id)[0]!)
    const ambiguous = first.find((digit, at) => first.indexOf(digit) !== at)!
    assert.throws(
      () => store.lookup(ambiguous),
      (error) => isKind(error, 'not_found'),
    )
  })
})

describe('ImageStore.resolve()', () => {
  it('gives the config as it was stored', async () => {
    const { store, image } = imagesForTest()
    const id = await image({ names: ['a'], config: { Cmd: ['sh'], Labels: { x: 'y' } } })
    const resolved = await store.resolve('a')
    assert.equal(resolved.id, id)
    assert.deepEqual(resolved.config.config?.Cmd, ['sh'])
    assert.equal(resolved.layers.length, 1)
    assert.deepEqual(resolved.labels, { x: 'y' })
  })
})

describe('Addition', () => {
  it('keeps the bytes of the config', async () => {
    const { store, content, snapshots } = imagesForTest()
    await using addition = await store.add()
    const { diffId } = await addition.ingest(layerTar('layer'))
    const text = `{ "os":"linux",\n "rootfs": {"type":"layers","diff_ids":["${diffId}"]}, "architecture":"amd64", "x":1 }`
    const [added] = await addition.commit([{ config: Buffer.from(text) }])
    assert.equal(Buffer.from(await content.read(added!.id)).toString(), text)
    assert.notEqual(await snapshots.layer(diffId), undefined)
  })

  it('leaves nothing behind when it is not committed', async () => {
    const { store, stored } = imagesForTest()
    {
      await using addition = await store.add()
      await addition.ingest(layerTar('layer'))
    }
    assert.deepEqual(await stored(), { layers: [], blobs: 0 })
  })

  it('leaves nothing behind when one of its images is refused', async () => {
    const { store, stored } = imagesForTest()
    await assert.rejects(async () => {
      await using addition = await store.add()
      const { diffId } = await addition.ingest(layerTar('layer'))
      const good = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId] } }
      const bad = { ...good, rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] } }
      const references = [parseReference('a:1')]
      await addition.commit([{ config: encodeJson(good), references }, { config: encodeJson(bad) }])
    }, /is missing/)
    assert.deepEqual(await stored(), { layers: [], blobs: 0 })
    assert.deepEqual(store.references.list(), [])
  })

  it('stops before the point of no return when it is aborted', async () => {
    const { store, stored } = imagesForTest()
    await assert.rejects(async () => {
      await using addition = await store.add()
      const { diffId } = await addition.ingest(layerTar('layer'))
      const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId] } }
      await addition.commit([{ config: encodeJson(config) }], {
        signal: AbortSignal.abort(new Error('gone')),
      })
    }, /gone/)
    assert.deepEqual(await stored(), { layers: [], blobs: 0 })
  })

  it('takes a name from the image that had it', async () => {
    const { store, image } = imagesForTest()
    const old = await image({ layers: ['old'], names: ['a:1'] })
    const young = await image({ layers: ['young'], names: ['a:1'] })
    assert.equal(store.lookup('a:1'), young)
    assert.equal(store.lookup(old), old)
  })

  it('keeps a layer that is removed from another image meanwhile', async () => {
    const { store, image, removal, stored } = imagesForTest()
    await image({ layers: ['shared'], names: ['old:1'] })
    {
      await using addition = await store.add()
      const { diffId } = await addition.ingest(layerTar('shared'))
      await removal.remove('old:1', { force: false, noprune: false })
      assert.deepEqual((await stored()).layers, ['shared'])
      const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId] } }
      await addition.commit([{ config: encodeJson(config) }])
    }
    assert.deepEqual(await stored(), { layers: ['shared'], blobs: 1 })
  })
})

describe('Collector', () => {
  it('collectAll() removes what no image needs, and nothing else', async () => {
    const { store, image, snapshots, content, stored } = imagesForTest()
    await image({ layers: ['kept'], names: ['a'] })
    await snapshots.ingest(layerTar('orphan'))
    await content.write(Buffer.from('orphan'))
    await store.collector.collectAll()
    assert.deepEqual(await stored(), { layers: ['kept'], blobs: 1 })
  })

  it('goes on with the next one when a removal fails, and tries again later', async () => {
    const { store, snapshots, stored } = imagesForTest()
    const { diffId } = await snapshots.ingest(layerTar('stuck'))
    await snapshots.ingest(layerTar('free'))
    const remove = snapshots.removeLayer.bind(snapshots)
    snapshots.removeLayer = async (id) => {
      if (id === diffId) throw new Error('busy')
      return remove(id)
    }
    await store.collector.collectAll()
    assert.deepEqual((await stored()).layers, ['stuck'])
    snapshots.removeLayer = remove
    await store.collector.discard({})
    assert.deepEqual((await stored()).layers, [])
  })
})
