import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Digest } from '#base/digest.ts'
import { imagesForTest } from '#test/support/images.ts'

describe('Collector.discard()', () => {
  it('does not forget what is discarded while it removes something else', async () => {
    const { image, store, content, stored } = imagesForTest()
    const first = await image({ layers: ['a'] })
    const second = await image({ layers: ['a'], config: { Labels: { x: '1' } } })
    // The second image goes while the blob of the first is being removed.
    const remove = content.remove.bind(content)
    let meanwhile: Promise<void> | undefined
    content.remove = async (digest: Digest) => {
      await remove(digest)
      meanwhile ??= (async () => {
        store.rows.remove(second)
        await store.collector.discard({ blobs: [second] })
      })()
      // Let it get as far as it can.
      await new Promise((resolve) => setImmediate(resolve))
    }
    store.rows.remove(first)
    await store.collector.discard({ blobs: [first, second] })
    await meanwhile
    assert.equal((await stored()).blobs, 0)
  })
})

describe('Collector.pin()', () => {
  it('keeps a layer that lost its row until it is let go by all who have it', async () => {
    const { image, store, snapshots } = imagesForTest()
    const id = await image({ layers: ['a', 'b'] })
    const [a, b] = store.rows.layers(id)
    const pins = [await store.collector.pin([a!]), await store.collector.pin([a!])]
    await store.collector.discard({ layers: store.rows.remove(id) ?? [] })
    assert.equal(await snapshots.layer(b!), undefined)

    await pins[0]?.[Symbol.asyncDispose]()
    assert.ok(await snapshots.layer(a!))
    assert.equal(store.collector.isHeld, true)
    await pins[1]?.[Symbol.asyncDispose]()
    assert.equal(await snapshots.layer(a!), undefined)
    assert.equal(store.collector.isHeld, false)
  })

  it('waits for what is being removed, so that what is there afterwards stays', async () => {
    const { image, store, snapshots } = imagesForTest()
    const id = await image({ layers: ['a'] })
    const [a] = store.rows.layers(id)
    const removing = Promise.withResolvers<void>()
    const remove = snapshots.removeLayer.bind(snapshots)
    snapshots.removeLayer = async (layer) => {
      await removing.promise
      await remove(layer)
    }
    const discarding = store.collector.discard({ layers: store.rows.remove(id) ?? [] })
    const pinning = store.collector.pin([a!])
    let pinned = false
    void pinning.then(() => (pinned = true))
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(pinned, false)
    removing.resolve()
    await discarding
    await using _pin = await pinning
    assert.equal(await snapshots.layer(a!), undefined)
  })
})
