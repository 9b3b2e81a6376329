import { Readable } from 'node:stream'
import { constants, createGzip, createZstdCompress, type Gzip, type ZstdCompress } from 'node:zlib'
import type { Compression } from './compression.ts'

/** What is given to the compressor at once, however the source is cut. */
const BLOCK = 1 << 20
/** A twentieth larger than with 6, in two thirds of the time. */
const GZIP_LEVEL = 4
const ZSTD_LEVEL = 3

/**
 * `source` compressed. The same bytes give the same result, however they are cut into chunks: level, header (no name,
 * no time) and blocks are fixed. The work is done on zlib's threads. An aborted signal rejects with its reason.
 */
export async function* compress(
  source: AsyncIterable<Uint8Array>,
  format: Compression,
  options: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<Uint8Array> {
  if (format === 'none') yield* source
  else yield* through(encoderOf(format), blocks(source), options.signal)
}

async function* through(
  encoder: Gzip | ZstdCompress,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const input = Readable.from(source, { objectMode: false, highWaterMark: BLOCK })
  const onAbort = (): void => void encoder.destroy(signal?.reason as Error)
  signal?.addEventListener('abort', onAbort, { once: true })
  // An error of the source must reach the reader; pipe() alone would leave the encoder waiting.
  input.on('error', (error) => encoder.destroy(error))
  try {
    signal?.throwIfAborted()
    for await (const chunk of input.pipe(encoder) as AsyncIterable<Uint8Array>) yield chunk
  } finally {
    signal?.removeEventListener('abort', onAbort)
    input.destroy()
    encoder.destroy()
  }
}

function encoderOf(format: 'gzip' | 'zstd'): Gzip | ZstdCompress {
  return format === 'gzip'
    ? createGzip({ level: GZIP_LEVEL, chunkSize: BLOCK })
    : createZstdCompress({
        chunkSize: BLOCK,
        params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
      })
}

/** The same bytes in chunks of one size; only the last is smaller. */
async function* blocks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let block = Buffer.allocUnsafe(BLOCK)
  let filled = 0
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + BLOCK - filled)
      block.set(part, filled)
      filled += part.length
      at += part.length
      if (filled < BLOCK) continue
      yield block
      // The compressor may still read the one it was given.
      block = Buffer.allocUnsafe(BLOCK)
      filled = 0
    }
  }
  if (filled > 0) yield block.subarray(0, filled)
}
