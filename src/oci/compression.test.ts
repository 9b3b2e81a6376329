import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { constants, createZstdCompress, gzipSync, zstdCompressSync } from 'node:zlib'
import { isKind } from '#base/errors.ts'
import { decompress, detectCompression } from './compression.ts'

const plain = Buffer.concat([randomBytes(100_000), Buffer.alloc(2_000_000)])
const compressed = { gzip: gzipSync(plain), zstd: zstdCompressSync(plain) } as const

async function* inChunks(bytes: Buffer, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size)
}

async function* given(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(source))
}

const refusal = (pattern: RegExp) => (error: unknown) =>
  isKind(error, 'invalid_argument') && error instanceof Error && pattern.test(error.message)

describe('decompress()', () => {
  for (const [name, bytes] of Object.entries(compressed)) {
    it(`gives the bytes of a ${name} stream, however it is cut`, async () => {
      for (const size of [1 << 20, 65_536, 97]) {
        assert.ok((await bytesOf(decompress(inChunks(bytes, size)))).equals(plain))
      }
    })

    it(`goes on with the next member of a ${name} stream, also when a chunk ends with the first`, async () => {
      const twice = Buffer.concat([plain, plain])
      assert.ok((await bytesOf(decompress(given(Buffer.concat([bytes, bytes]))))).equals(twice))
      assert.ok((await bytesOf(decompress(given(bytes, bytes)))).equals(twice))
    })

    it(`refuses a ${name} stream that is cut off anywhere`, async () => {
      for (const length of [5, bytes.length >> 1, bytes.length - 1]) {
        await assert.rejects(
          bytesOf(decompress(inChunks(bytes.subarray(0, length)))),
          refusal(/unexpected end/),
        )
      }
    })

    it(`refuses bytes after the end of a ${name} stream`, async () => {
      for (const tail of [Buffer.from('more'), Buffer.alloc(100_000, 1), Buffer.alloc(512)]) {
        await assert.rejects(bytesOf(decompress(given(bytes, tail))), refusal(/after the end|corrupt/))
        await assert.rejects(
          bytesOf(decompress(given(Buffer.concat([bytes, tail])))),
          refusal(/after the end|corrupt/),
        )
      }
    })
  }

  it('refuses a gzip stream with a flipped bit', async () => {
    const flipped = Buffer.from(compressed.gzip)
    flipped[flipped.length >> 1]! ^= 1
    await assert.rejects(bytesOf(decompress(inChunks(flipped))), refusal(/corrupt gzip stream/))
  })

  it('passes plain bytes on, the empty stream too', async () => {
    const few = plain.subarray(0, 999)
    assert.ok((await bytesOf(decompress(inChunks(few, 3)))).equals(few))
    assert.equal((await bytesOf(decompress(given()))).length, 0)
  })

  it('zip bomb: stops at the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000))
    await assert.rejects(bytesOf(decompress(given(bomb), { limit: 1_000_000 })), (error) =>
      isKind(error, 'resource_exhausted'),
    )
  })

  it('zstd bomb: refuses a window larger than 128 MiB', async () => {
    const encoder = createZstdCompress({
      params: { [constants.ZSTD_c_windowLog]: 30, [constants.ZSTD_c_enableLongDistanceMatching]: 1 },
    })
    encoder.end(plain)
    const wide = await bytesOf(encoder)
    await assert.rejects(bytesOf(decompress(given(wide))), refusal(/zstd/))
  })

  it('hands on an error of the source, and ends when aborted', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield compressed.gzip.subarray(0, 1000)
      throw new RangeError('source broke')
    }
    await assert.rejects(bytesOf(decompress(failing())), /source broke/)

    const controller = new AbortController()
    async function* silent(): AsyncGenerator<Uint8Array> {
      yield compressed.gzip.subarray(0, 1000)
      controller.abort(new RangeError('given up'))
      await new Promise(() => undefined)
    }
    await assert.rejects(bytesOf(decompress(silent(), { signal: controller.signal })), /given up/)
  })
})

describe('detectCompression()', () => {
  it('names what is accepted when it refuses bzip2 and xz', () => {
    for (const magic of ['425a6839', 'fd377a585a00']) {
      assert.throws(
        () => detectCompression(Buffer.from(magic, 'hex')),
        refusal(/gzip, zstd and uncompressed/),
      )
    }
  })

  it('knows a zstd skippable frame', () => {
    assert.equal(detectCompression(Buffer.from('502a4d18', 'hex')), 'zstd')
  })
})
