import { Readable } from 'node:stream'
import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib'
import { EngineError, isErrno, messageOf } from '#base/errors.ts'

export type Compression = 'gzip' | 'zstd' | 'none'

/** A third of the speed is lost with the default of 16 KiB. */
const CHUNK = 1 << 20
/** 128 MiB: more memory than this is asked for only by archives made to hurt. */
const ZSTD_WINDOW_LOG = 27
/** Bytes that tell the formats apart. */
const HEAD = 6

const refused: readonly (readonly [name: string, magic: readonly number[]])[] = [
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
]

/** Tells by the first bytes; anything unknown is taken for not compressed, bzip2 and xz are refused by name. */
export function detectCompression(head: Uint8Array): Compression {
  const startsWith = (magic: readonly number[]): boolean => magic.every((byte, i) => head[i] === byte)
  if (startsWith([0x1f, 0x8b])) return 'gzip'
  if (startsWith([0x28, 0xb5, 0x2f, 0xfd])) return 'zstd'
  // Skippable frames, which zstd:chunked and parallel compressors write.
  if (
    head[0] !== undefined &&
    head[0] >> 4 === 5 &&
    [0x2a, 0x4d, 0x18].every((byte, i) => head[i + 1] === byte)
  ) {
    return 'zstd'
  }
  for (const [name, magic] of refused) {
    if (!startsWith(magic)) continue
    throw invalid(
      `${name} compression is not supported: gzip, zstd and uncompressed archives are`,
      'COMPRESSION_UNSUPPORTED',
    )
  }
  return 'none'
}

export interface DecompressOptions {
  /** The format that is expected; found out by the first bytes if not given. */
  readonly compression?: Compression | undefined
  /** Most bytes that come out; more is refused with `resource_exhausted`. */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes that come out at a time; 1 MiB by default. */
  readonly chunk?: number | undefined
}

/**
 * The plain bytes of `source`. A stream that is corrupt, that ends before its end, or that has other bytes after it,
 * is refused with `invalid_argument`.
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array> {
  const { limit = Infinity } = options
  let total = 0
  for await (const chunk of decompressed(source, options)) {
    total += chunk.length
    if (total > limit) {
      throw new EngineError('resource_exhausted', `archive is larger than ${limit} bytes when decompressed`, {
        code: 'ARCHIVE_TOO_LARGE',
        details: { limit },
      })
    }
    yield chunk
  }
}

async function* decompressed(
  source: AsyncIterable<Uint8Array>,
  { compression, signal, chunk }: DecompressOptions,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  const rest: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => iterator }
  const head = compression === undefined ? await readHead(iterator) : []
  const format = compression ?? detectCompression(Buffer.concat(head))
  const all = withHead(head, rest)
  if (format === 'none') yield* all
  else yield* through(format, all, signal, chunk)
}

async function readHead(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array[]> {
  const head: Uint8Array[] = []
  for (let size = 0; size < HEAD;) {
    const { done, value } = await iterator.next()
    if (done === true) break
    head.push(value)
    size += value.length
  }
  return head
}

async function* withHead(
  head: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* head
  yield* rest
}

async function* through(
  format: 'gzip' | 'zstd',
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
  chunkSize = CHUNK,
): AsyncGenerator<Uint8Array> {
  const counted = new Counter(source)
  const decoder = decoderOf(format, chunkSize)
  const input = Readable.from(counted, { objectMode: false, highWaterMark: CHUNK })
  const onAbort = (): void => void decoder.destroy(signal?.reason as Error)
  signal?.addEventListener('abort', onAbort, { once: true })
  // An error of the source must reach the reader; pipe() alone would leave the decoder waiting.
  input.on('error', (error) => decoder.destroy(error))
  try {
    signal?.throwIfAborted()
    for await (const chunk of input.pipe(decoder) as AsyncIterable<Uint8Array>) yield chunk
  } catch (error) {
    throw decodingError(format, error)
  } finally {
    signal?.removeEventListener('abort', onAbort)
    input.destroy()
    decoder.destroy()
  }
  const extra = counted.bytes - decoder.bytesWritten
  if (extra > 0) throw invalid(`${extra} bytes after the end of the ${format} stream`, 'COMPRESSION_INVALID')
}

function decoderOf(format: 'gzip' | 'zstd', chunkSize: number): Gunzip | ZstdDecompress {
  return format === 'gzip'
    ? createGunzip({ chunkSize })
    : createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } })
}

class Counter implements AsyncIterable<Uint8Array> {
  bytes = 0
  readonly #source: AsyncIterable<Uint8Array>

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#source) {
      this.bytes += chunk.length
      yield chunk
    }
  }
}

function decodingError(format: 'gzip' | 'zstd', error: unknown): unknown {
  const isDecoder = error instanceof Error && 'code' in error && /^(Z_|ZSTD_)/.test(String(error.code))
  if (!isDecoder) return error
  const what = isErrno(error, 'Z_BUF_ERROR') ? 'unexpected end' : messageOf(error)
  return invalid(`corrupt ${format} stream: ${what}`, 'COMPRESSION_INVALID', error)
}

function invalid(message: string, code: Uppercase<string>, cause?: unknown): EngineError {
  return new EngineError('invalid_argument', message, { code, ...(cause === undefined ? {} : { cause }) })
}
