import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, describe, it } from 'node:test'
import { compress, type BlockCompressor } from '#oci/compress.ts'
import { CompressThreads } from './compress-threads.ts'

const threads = new CompressThreads()
after(() => threads[Symbol.asyncDispose]())

const sample = Buffer.concat([Buffer.alloc(5_000_000, 'layer '), randomBytes(4_000_000), Buffer.alloc(10)])

async function* source(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

async function compressed(
  bytes: Uint8Array,
  format: 'gzip' | 'zstd',
  compressBlock?: BlockCompressor,
): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(compress(source(bytes), format, { compressBlock })))
}

describe('CompressThreads', () => {
  for (const format of ['gzip', 'zstd'] as const) {
    it(`makes the bytes that are made without it, of several streams at once: ${format}`, async () => {
      const wanted = await compressed(sample, format)
      const all = await Promise.all([1, 2, 3].map(() => compressed(sample, format, threads.compress)))
      for (const bytes of all) assert.equal(wanted.equals(bytes), true)
      const empty = Buffer.alloc(0)
      assert.deepEqual(await compressed(empty, format, threads.compress), await compressed(empty, format))
    })
  }

  it('fails what it was working on when it is closed, and what waits as well', async () => {
    const closing = new CompressThreads()
    const jobs = Array.from({ length: 12 }, () => closing.compress(new Uint8Array(2 << 20), 'gzip'))
    const settled = Promise.allSettled(jobs)
    await closing[Symbol.asyncDispose]()
    const failed = (await settled).filter(({ status }) => status === 'rejected')
    assert.ok(failed.length > 0)
  })
})
