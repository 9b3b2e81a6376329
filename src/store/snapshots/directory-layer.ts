import { createReadStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import type { Helper } from '#os/helper.ts'
import type { Trees } from '#os/tree.ts'
import { storageError } from './errors.ts'
import { FileSink } from './file-sink.ts'
import { files, type LayerRecord, type StoredLayer } from './layer-record.ts'
import type { StagedTar } from './stage-tar.ts'
import { layerRecords, type LowerFile } from './unpack-records.ts'

export interface UnpackDeps {
  readonly trees: Pick<Trees, 'write'>
  readonly helper: Pick<Helper, 'syncfs'>
}

/**
 * Completes a staged layer by unpacking it; the archive is kept compressed, for the exact bytes. The tar has been
 * checked as a whole before anything is unpacked, and names were resolved in memory.
 */
export async function finishDirectoryLayer(
  directory: string,
  { tree }: StagedTar,
  deps: UnpackDeps,
  options: { readonly lowerFile: LowerFile; readonly signal?: AbortSignal | undefined },
): Promise<Pick<LayerRecord, 'kind' | 'stored' | 'lengths' | 'indexSha256'>> {
  const tar = join(directory, files.tar)
  const packed = join(directory, files.packed)
  const unpacked = join(directory, files.unpacked)
  try {
    await mkdir(unpacked, { mode: 0o755 })
    const [unpack, pack] = await Promise.allSettled([
      deps.trees.write({ directory: unpacked }, '/', layerRecords(tree, tar, options.lowerFile), {
        layer: true,
        signal: options.signal,
      }),
      compress(tar, packed),
    ])
    if (unpack.status === 'rejected') throw unpack.reason
    if (pack.status === 'rejected') throw pack.reason
    await rm(tar)
    // One call instead of a sync per file.
    await deps.helper.syncfs(directory)
    const packedSize = (await stat(packed)).size
    return {
      kind: 'directory',
      stored: packedSize + contentSize(tree),
      lengths: { [files.packed]: packedSize },
      indexSha256: null,
    }
  } catch (error) {
    throw storageError(error, unpacked)
  }
}

export function readDirectoryTar(layer: Pick<StoredLayer, 'path'>): AsyncIterable<Uint8Array> {
  const source = createReadStream(join(layer.path, files.packed), { highWaterMark: 1 << 20 })
  const decompress = createZstdDecompress({ chunkSize: 1 << 20 })
  source.on('error', (error) => decompress.destroy(error))
  return source.pipe(decompress)
}

async function compress(from: string, to: string): Promise<void> {
  const sink = await FileSink.create(to)
  await using _close = sink
  await pipeline(
    createReadStream(from, { highWaterMark: 1 << 20 }),
    createZstdCompress({ chunkSize: 1 << 20, params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
    async (chunks: AsyncIterable<Uint8Array>) => {
      for await (const chunk of chunks) await sink.write(chunk)
    },
  )
  await sink.sync()
}

/** What the unpacked files take, in the blocks of a usual file system. */
function contentSize(tree: StagedTar['tree']): number {
  let bytes = 0
  const stack = [tree.root]
  const seen = new Set<object>()
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (seen.has(node)) continue
    seen.add(node)
    if (node.kind === 'file') bytes += Math.ceil(node.size / 4096) * 4096
    else if (node.kind === 'directory') bytes += 4096
    for (const child of node.children?.values() ?? []) stack.push(child)
  }
  return bytes
}
