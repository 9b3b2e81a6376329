import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compress } from './compress.ts'
import { decompress } from './compression.ts'

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(source))
}

/** Of several blocks. */
const sample = Buffer.concat([
  Buffer.alloc(2_900_000, 'layer '),
  randomBytes(2_700_000),
  Buffer.alloc(900_000),
])

for (const format of ['gzip', 'zstd'] as const) {
  describe(`compress() to ${format}`, () => {
    it('gives the same bytes, however the source is cut', async () => {
      const whole = await bytesOf(compress(cut(sample, sample.length), format))
      for (const size of [777, 65_536, 1_048_577]) {
        assert.equal(whole.equals(await bytesOf(compress(cut(sample, size), format))), true, `${size}`)
      }
      assert.equal(sample.equals(await bytesOf(decompress(cut(whole, 65_536)))), true)
    })

    it('makes a stream of nothing', async () => {
      const nothing = await bytesOf(compress(cut(Buffer.alloc(0), 1), format))
      assert.equal(nothing.length > 0, true)
      assert.equal((await bytesOf(decompress(cut(nothing, 100)))).length, 0)
    })

    it('is one stream to other programs', async () => {
      const input = await bytesOf(compress(cut(sample, 65_536), format))
      const plain = format === 'gzip' ? gunzipSync(input) : zstdDecompressSync(input)
      assert.equal(plain.equals(sample), true)
      const { stdout, error } = spawnSync(format, ['-dc'], { input, maxBuffer: 1 << 26 })
      if (error === undefined) assert.equal(stdout.equals(sample), true)
    })

    it('passes on a failure of its source', async () => {
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('a')
        throw new Error('gone')
      }
      await assert.rejects(bytesOf(compress(failing(), format)), /gone/)
    })

    it('ends with the reason of its signal', async () => {
      const signal = AbortSignal.abort(new Error('enough'))
      await assert.rejects(bytesOf(compress(cut(sample, 1000), format, { signal })), /enough/)
    })
  })
}

it('writes a gzip header without time and name', async () => {
  const head = (await bytesOf(compress(cut(Buffer.from('x'), 1), 'gzip'))).subarray(0, 10)
  assert.deepEqual([...head.subarray(0, 8)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0])
})

it('leaves bytes alone that are not to be compressed', async () => {
  assert.equal((await bytesOf(compress(cut(Buffer.from('plain'), 2), 'none'))).toString(), 'plain')
})
