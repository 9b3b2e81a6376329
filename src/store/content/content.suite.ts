import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Digest, digestOf } from '#base/digest.ts'
import { isKind } from '#base/errors.ts'
import type { Content } from './content.ts'

export interface ContentUnderTest extends AsyncDisposable {
  readonly content: Content
  /** Changes the stored bytes behind its back. */
  corrupt(digest: Digest, bytes: Uint8Array): Promise<void>
}

/** What every Content promises. */
export function contentSuite(name: string, make: () => Promise<ContentUnderTest>): void {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value)
  const all = async (content: Content): Promise<readonly { digest: Digest; size: number }[]> =>
    Array.fromAsync(content.list())

  describe(name, () => {
    it('write() gives the digest under which read() gives the bytes back', async () => {
      await using under = await make()
      const digest = await under.content.write(text('{}'))

      assert.equal(digest, digestOf(text('{}')))
      assert.deepEqual(Buffer.from(await under.content.read(digest)), Buffer.from('{}'))
      assert.equal(await under.content.has(digest), true)
      assert.deepEqual(await all(under.content), [{ digest, size: 2 }])
    })

    it('write() is idempotent, also when two write at once', async () => {
      await using under = await make()
      const digests = await Promise.all([1, 2, 3].map(() => under.content.write(text('same'))))

      assert.equal(new Set(digests).size, 1)
      assert.equal((await all(under.content)).length, 1)
    })

    it('write() refuses bytes with another digest than expected and stores nothing', async () => {
      await using under = await make()
      const expected = digestOf(text('other'))

      await assert.rejects(under.content.write(text('{}'), { expected }), (error) =>
        isKind(error, 'invalid_argument'),
      )
      assert.deepEqual(await all(under.content), [])
    })

    it('read() of a missing blob fails with not_found', async () => {
      await using under = await make()
      const digest = digestOf(text('missing'))

      await assert.rejects(under.content.read(digest), (error) => isKind(error, 'not_found'))
      assert.equal(await under.content.has(digest), false)
    })

    it('read() of a damaged blob fails with data_loss until it is written again', async () => {
      await using under = await make()
      const digest = await under.content.write(text('whole'))
      await under.corrupt(digest, text('wh0le'))

      await assert.rejects(under.content.read(digest), (error) => isKind(error, 'data_loss'))

      await under.content.write(text('whole'))
      assert.equal(Buffer.from(await under.content.read(digest)).toString(), 'whole')
    })

    it('remove() is idempotent', async () => {
      await using under = await make()
      const digest = await under.content.write(text('{}'))

      await under.content.remove(digest)
      await under.content.remove(digest)

      assert.equal(await under.content.has(digest), false)
      assert.deepEqual(await all(under.content), [])
    })
  })
}
