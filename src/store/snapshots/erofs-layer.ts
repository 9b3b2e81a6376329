import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hexOf } from '#base/digest.ts'
import { writeIndex } from '#oci/erofs/index-writer.ts'
import { damagedLayer } from './errors.ts'
import { files, writeDurably, type LayerRecord, type StoredLayer } from './layer-record.ts'
import type { StagedTar } from './stage-tar.ts'

/** Completes a staged layer with the index over its tar. */
export async function finishErofsLayer(
  directory: string,
  { diffId, size, tree }: StagedTar,
): Promise<Pick<LayerRecord, 'kind' | 'stored' | 'lengths' | 'indexSha256'>> {
  const uuid = Buffer.from(hexOf(diffId).slice(0, 32), 'hex')
  const index = writeIndex(tree, { tarSize: size, uuid })
  await writeDurably(join(directory, files.index), index)
  return {
    kind: 'erofs',
    stored: size + index.length,
    lengths: { [files.tar]: size, [files.index]: index.length },
    indexSha256: sha256(index),
  }
}

/** The kernel is only shown an index that is the one we wrote. */
export async function checkIndex(layer: StoredLayer): Promise<void> {
  const index = await readFile(join(layer.path, files.index))
  if (sha256(index) !== layer.record.indexSha256) {
    throw damagedLayer(layer.diffId, `${files.index} is not what was written`)
  }
}

export function readErofsTar(layer: Pick<StoredLayer, 'path'>): AsyncIterable<Uint8Array> {
  return createReadStream(join(layer.path, files.tar), { highWaterMark: 1 << 20 })
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
