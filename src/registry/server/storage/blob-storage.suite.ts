import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Digest, digestOf } from '#base/digest.ts'
import { type ErrorKind, isKind } from '#base/errors.ts'
import type { FakeClock } from '#base/fake-clock.ts'
import type { BlobStorage } from './storage.ts'

export interface BlobsUnderTest extends AsyncDisposable {
  readonly blobs: BlobStorage
  readonly clock: FakeClock
}

const LIMIT = 100 << 20

/** What every BlobStorage promises. */
export function blobStorageSuite(name: string, make: () => Promise<BlobsUnderTest>): void {
  const put = async (blobs: BlobStorage, text: string): Promise<Digest> => {
    await using upload = await blobs.upload(await blobs.begin())
    await upload.append(chunks(text), { limit: LIMIT })
    await upload.commit(digestOf(text))
    return digestOf(text)
  }
  const read = async (
    blobs: BlobStorage,
    digest: Digest,
    range?: { offset: number; end: number },
  ): Promise<string> => Buffer.concat(await Array.fromAsync(await blobs.read(digest, range))).toString()
  const rejects = (promise: Promise<unknown>, kind: ErrorKind): Promise<void> =>
    assert.rejects(promise, (error) => isKind(error, kind))

  describe(name, () => {
    it('commit() makes a blob of what was appended, and the upload is gone', async () => {
      await using under = await make()
      const { blobs, clock } = under
      const id = await blobs.begin()
      {
        await using upload = await blobs.upload(id)
        assert.equal(await upload.append(chunks('hello, ', 'world'), { limit: LIMIT }), 12)
        assert.equal(upload.size, 12)
        const facts = await upload.commit(digestOf('hello, world'))
        assert.deepEqual(facts, { size: 12, touched: clock.now().getTime() })
      }
      assert.equal(await read(blobs, digestOf('hello, world')), 'hello, world')
      assert.equal((await blobs.stat(digestOf('hello, world')))?.size, 12)
      assert.deepEqual(await Array.fromAsync(blobs.uploads()), [])
      await rejects(blobs.upload(id), 'not_found')
    })

    it('keeps an upload between holders', async () => {
      await using under = await make()
      const { blobs } = under
      const id = await blobs.begin()
      for (const part of ['one ', 'two ', 'three']) {
        await using upload = await blobs.upload(id)
        await upload.append(chunks(part), { limit: LIMIT })
      }
      await using upload = await blobs.upload(id)
      assert.equal(upload.size, 13)
      await upload.commit(digestOf('one two three'))
      assert.equal(await read(blobs, digestOf('one two three')), 'one two three')
    })

    it('keeps what came when the sender is cut off', async () => {
      await using under = await make()
      const { blobs } = under
      const id = await blobs.begin()
      {
        await using upload = await blobs.upload(id)
        await assert.rejects(upload.append(cutAfter('abc'), { limit: LIMIT }), /cut/)
        assert.equal(upload.size, 3)
      }
      await using upload = await blobs.upload(id)
      await upload.append(chunks('def'), { limit: LIMIT })
      await upload.commit(digestOf('abcdef'))
    })

    it('takes an upload in large pieces', async () => {
      await using under = await make()
      const { blobs } = under
      const piece = 'x'.repeat(700_000)
      const digest = digestOf(piece.repeat(5))
      await using upload = await blobs.upload(await blobs.begin())
      await upload.append(chunks(piece, piece, piece, piece, piece), { limit: LIMIT })
      await upload.commit(digest)
      assert.equal((await read(blobs, digest)).length, 3_500_000)
    })

    it('commit() with another digest fails and leaves no blob', async () => {
      await using under = await make()
      const { blobs } = under
      await using upload = await blobs.upload(await blobs.begin())
      await upload.append(chunks('abc'), { limit: LIMIT })
      await rejects(upload.commit(digestOf('abd')), 'invalid_argument')
      assert.equal(await blobs.stat(digestOf('abd')), undefined)
      assert.deepEqual(await Array.fromAsync(blobs.blobs()), [])
      await upload.commit(digestOf('abc'))
    })

    it('append() stops at its limit', async () => {
      await using under = await make()
      await using upload = await under.blobs.upload(await under.blobs.begin())
      await rejects(upload.append(chunks('12345', '67890'), { limit: 9 }), 'invalid_argument')
      assert.equal(upload.size, 5)
    })

    it('upload() has one holder at a time, and knows no others than were begun', async () => {
      await using under = await make()
      const { blobs } = under
      const id = await blobs.begin()
      {
        await using _upload = await blobs.upload(id)
        await rejects(blobs.upload(id), 'conflict')
      }
      await using _again = await blobs.upload(id)
      for (const stranger of ['', '..', '../blobs', 'x', '00000000-0000-0000-0000-000000000000']) {
        await rejects(blobs.upload(stranger), 'not_found')
      }
    })

    it('cancel() removes an upload', async () => {
      await using under = await make()
      const { blobs } = under
      const id = await blobs.begin()
      assert.equal((await Array.fromAsync(blobs.uploads())).length, 1)
      {
        await using upload = await blobs.upload(id)
        await upload.append(chunks('abc'), { limit: LIMIT })
        await upload.cancel()
      }
      assert.deepEqual(await Array.fromAsync(blobs.uploads()), [])
      await rejects(blobs.upload(id), 'not_found')
    })

    it('read() gives a range, and an empty blob nothing', async () => {
      await using under = await make()
      const { blobs } = under
      const digest = await put(blobs, '0123456789')
      assert.equal(await read(blobs, digest, { offset: 3, end: 6 }), '345')
      assert.equal(await read(blobs, digest, { offset: 9, end: 10 }), '9')
      assert.equal(await read(blobs, digest, { offset: 5, end: 5 }), '')
      await rejects(blobs.read(digest, { offset: 5, end: 11 }), 'invalid_argument')
      assert.equal(await read(blobs, await put(blobs, '')), '')
      await rejects(blobs.read(digestOf('missing')), 'not_found')
    })

    it('remove() spares what was touched since', async () => {
      await using under = await make()
      const { blobs, clock } = under
      const digest = await put(blobs, 'abc')
      const written = clock.now().getTime()
      await clock.advance(1000)
      assert.equal(await blobs.remove(digest, written), false)
      await blobs.touch(digest)
      assert.equal(await blobs.remove(digest, written + 1000), false)
      assert.deepEqual(await Array.fromAsync(blobs.blobs()), [{ digest, size: 3, touched: written + 1000 }])
      assert.equal(await blobs.remove(digest, written + 1001), true)
      assert.equal(await blobs.remove(digest), true)
      await rejects(blobs.touch(digest), 'not_found')
    })
  })
}

export async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

async function* cutAfter(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
  throw new Error('cut')
}
