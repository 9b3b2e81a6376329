import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import type { Digest } from '#base/digest.ts'

/** A file that a step took, and what stands for it. */
export interface TakenFile {
  readonly path: string
  readonly digest: Digest
}

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Bytes of any text, for a row. */
export async function packText(text: string): Promise<Uint8Array> {
  return compress(Buffer.from(text))
}

export async function unpackText(bytes: Uint8Array): Promise<string> {
  return (await decompress(bytes)).toString()
}

/** Paths first and digests after them as bytes: the former become much smaller by compression, the latter do not. */
export async function packFiles(files: readonly TakenFile[]): Promise<Uint8Array> {
  const paths = Buffer.from(JSON.stringify(files.map(({ path }) => path)))
  const digests = Buffer.concat(files.map(({ digest }) => Buffer.from(digest.slice('sha256:'.length), 'hex')))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(paths.length)
  return compress(Buffer.concat([length, paths, digests]))
}

export async function unpackFiles(bytes: Uint8Array): Promise<TakenFile[]> {
  const all = await decompress(bytes)
  const from = 4 + all.readUInt32LE(0)
  const paths = JSON.parse(all.toString('utf8', 4, from)) as string[]
  return paths.map((path, i) => {
    const at = from + i * DIGEST_BYTES
    return { path, digest: `sha256:${all.toString('hex', at, at + DIGEST_BYTES)}` }
  })
}

const DIGEST_BYTES = 32
