import { createHash } from 'node:crypto'
import { type Digest, digestFrom } from '#base/digest.ts'
import { decompress } from '#oci/compression.ts'
import type { Descriptor } from '#oci/image-spec.ts'
import type { Ingest } from '#store/ingests/ingests.ts'
import { wrongBlob } from './errors.ts'

/** More than a thousandfold is what deflate can do at most; real layers stay far below this. */
const MAX_RATIO = 200
/** So much may always come out. */
const MAX_UNQUESTIONED = 1 << 30

/** The most bytes that a layer of `size` compressed ones may become (zip bombs, C4). */
export function unpackedLimit(size: number, free: number): number {
  return Math.min(Math.max(size * MAX_RATIO, MAX_UNQUESTIONED), free)
}

export interface UnpackOptions {
  readonly signal: AbortSignal
  /** Bytes that may come out. */
  readonly limit: number
  /** Compressed bytes that have been read. */
  readonly onProgress: (read: number) => void
}

/**
 * The uncompressed tar of a blob that is still coming. It ends only after every compressed byte has been hashed and has
 * the digest that was asked for.
 */
export async function* layerTar(
  ingest: Ingest,
  { digest }: Pick<Descriptor, 'digest'>,
  { signal, limit, onProgress }: UnpackOptions,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  let read = 0
  yield* decompress(hashing(), { signal, limit })
  // A decoder stops at the end of its stream, whatever follows.
  const actual: Digest = read === ingest.size ? digestFrom(hash) : await ingestDigest(ingest, signal)
  if (actual !== digest) throw wrongBlob(digest, actual)

  async function* hashing(): AsyncGenerator<Uint8Array> {
    for await (const chunk of ingest.read({ signal })) {
      hash.update(chunk)
      read += chunk.length
      onProgress(read)
      yield chunk
    }
  }
}

/** The digest of a blob that has come as a whole. */
export async function ingestDigest(ingest: Ingest, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256')
  for await (const chunk of ingest.read({ signal })) hash.update(chunk)
  return digestFrom(hash)
}
