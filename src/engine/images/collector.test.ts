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
