import { availableParallelism } from 'node:os'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import type { Compression } from './compression.ts'

/** What becomes one member (gzip) or frame (zstd) of the result: the same for ever, or digests change. */
const BLOCK = 2 << 20
/** A twentieth larger than with 6, in two thirds of the time. */
const GZIP_LEVEL = 4
const ZSTD_LEVEL = 3

/** Blocks of one stream that are worked on at a time; it has no effect on the bytes. */
const PARALLEL = Math.min(availableParallelism(), 3)

/** Compresses one block, as `compressBlockSync()` does, somewhere. The block is given away. */
export type BlockCompressor = (
  block: Uint8Array<ArrayBuffer>,
  format: Exclude<Compression, 'none'>,
) => Promise<Uint8Array>

/**
 * `source` compressed, as a sequence of gzip members (RFC 1952 2.2) or zstd frames (RFC 8878 3.1), which every reader
 * takes for one stream. The same bytes give the same result, however they are cut into chunks: level, header (no name,
 * no time) and blocks are fixed. Several blocks are with `compressBlock` at once; without one they are compressed here.
 */
export async function* compress(
  source: AsyncIterable<Uint8Array>,
  format: Compression,
  options: {
    readonly signal?: AbortSignal | undefined
    readonly compressBlock?: BlockCompressor | undefined
  } = {},
): AsyncGenerator<Uint8Array> {
  const { compressBlock = inThisThread } = options
  if (format === 'none') {
    yield* source
    return
  }
  const running: Promise<Uint8Array>[] = []
  try {
    for await (const block of blocks(source)) {
      options.signal?.throwIfAborted()
      const result = compressBlock(block, format)
      // It may fail before anybody waits for it.
      result.catch(() => undefined)
      running.push(result)
      if (running.length > PARALLEL) yield await first(running)
    }
    while (running.length > 0) yield await first(running)
  } finally {
    await Promise.allSettled(running)
  }
}

function first(running: Promise<Uint8Array>[]): Promise<Uint8Array> {
  const [next] = running.splice(0, 1)
  if (next === undefined) throw new RangeError('nothing is running')
  return next
}

const chunkSize = BLOCK >> 1
const gzipOptions = { level: GZIP_LEVEL, chunkSize }
const zstdParams = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 }
const zstdOptions = { chunkSize, params: zstdParams }

const inThisThread: BlockCompressor = async (block, format) => compressBlockSync(block, format)

/**
 * In this thread, for as long as it takes: tens of milliseconds. Everything is compressed by this one function, since zlib's
 * asynchronous ones give other bytes for zstd.
 */
export function compressBlockSync(
  block: Uint8Array,
  format: Exclude<Compression, 'none'>,
): Uint8Array<ArrayBuffer> {
  return format === 'gzip' ? gzipSync(block, gzipOptions) : zstdCompressSync(block, zstdOptions)
}

/** The same bytes in chunks of one size; only the last is smaller. At least one, so that nothing is a stream, too. */
async function* blocks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let block = Buffer.allocUnsafe(BLOCK)
  let filled = 0
  let isFirst = true
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + BLOCK - filled)
      block.set(part, filled)
      filled += part.length
      at += part.length
      if (filled < BLOCK) continue
      yield block
      isFirst = false
      // The compressor is still reading the one it was given.
      block = Buffer.allocUnsafe(BLOCK)
      filled = 0
    }
  }
  if (filled > 0 || isFirst) yield block.subarray(0, filled)
}
