import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type Digest, digestFrom } from '#base/digest.ts'
import { EngineError, isKind, messageOf } from '#base/errors.ts'
import type { LayerTree } from '#oci/tar/layer-tree.ts'
import { TarParser } from '#oci/tar/parser.ts'
import { readDirectoryTar } from './directory-layer.ts'
import { checkIndex, readErofsTar } from './erofs-layer.ts'
import { exists, files, loadLayer, rootOf, type StoredLayer } from './layer-record.ts'
import { ContentHashes, differenceOf } from './unpacked-check.ts'

/** What became of a layer. */
export type LayerHealth =
  | { readonly state: 'whole' }
  | { readonly state: 'missing' }
  /** `archive` intact: all the rest can be made again from it. */
  | { readonly state: 'damaged'; readonly problem: string; readonly archive: 'intact' | 'damaged' }

/** Reads every byte of a layer: the archive against the diffID, and what was made from it against the archive. */
export async function checkLayer(
  diffId: Digest,
  path: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<LayerHealth> {
  const archive = await readArchive(diffId, path, options.signal)
  try {
    const layer = await loadLayer(diffId, path)
    if (layer === undefined) return { state: 'missing' }
    if (archive.tree === undefined) return { state: 'damaged', problem: archive.problem, archive: 'damaged' }
    const problem = await problemOf(layer, archive, options.signal)
    return problem === undefined ? { state: 'whole' } : { state: 'damaged', problem, archive: 'intact' }
  } catch (error) {
    if (!isKind(error, 'data_loss')) throw error
    const intact = archive.tree !== undefined
    return { state: 'damaged', problem: reasonOf(error), archive: intact ? 'intact' : 'damaged' }
  }
}

/** The archive of a layer whatever its record says, and whether it is there at all. */
export async function* readAnyTar(diffId: Digest, path: string): AsyncGenerator<Uint8Array> {
  const layer = { diffId, path }
  yield* (await exists(join(path, files.tar))) ? readErofsTar(layer) : readDirectoryTar(layer)
}

interface ReadArchive {
  readonly tree: LayerTree
  /** Of the content of each file, by its place in the archive. */
  readonly digests: ReadonlyMap<number, string>
  readonly size: number
}

type Archive = ReadArchive | { readonly tree: undefined; readonly problem: string }

async function readArchive(diffId: Digest, path: string, signal: AbortSignal | undefined): Promise<Archive> {
  const hash = createHash('sha256')
  const contents = new ContentHashes()
  const parser = new TarParser(contents)
  let size = 0
  try {
    for await (const chunk of readAnyTar(diffId, path)) {
      signal?.throwIfAborted()
      hash.update(chunk)
      parser.push(chunk)
      size += chunk.length
    }
    parser.end()
  } catch (error) {
    signal?.throwIfAborted()
    return { tree: undefined, problem: `its archive cannot be read: ${messageOf(error)}` }
  }
  const actual = digestFrom(hash)
  return actual === diffId
    ? { tree: contents.tree, digests: contents.digests, size }
    : { tree: undefined, problem: `its archive has the digest ${actual}` }
}

async function problemOf(
  layer: StoredLayer,
  { tree, digests, size }: ReadArchive,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { record, path } = layer
  const { root, opaqueRoot } = rootOf(tree)
  if (!isDeepStrictEqual({ size, root, opaqueRoot }, pick(record))) {
    return `${files.record} says something else than the archive`
  }
  if (record.kind === 'erofs') {
    await checkIndex(layer)
    return undefined
  }
  const difference = await differenceOf(tree, digests, join(path, files.unpacked), signal)
  return difference === undefined ? undefined : `${files.unpacked}: ${difference}`
}

function pick({ size, root, opaqueRoot }: StoredLayer['record']): object {
  return { size, root, opaqueRoot }
}

/** Without "layer … is damaged" before it. */
function reasonOf(error: unknown): string {
  const reason = error instanceof EngineError ? error.details['reason'] : undefined
  return typeof reason === 'string' ? reason : messageOf(error)
}
