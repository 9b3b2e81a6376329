import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type Digest, digestFrom } from '#base/digest.ts'
import { abortable } from '#base/mutex.ts'
import { LayerTree } from '#oci/tar/layer-tree.ts'
import { TarParser } from '#oci/tar/parser.ts'
import { storageError } from './errors.ts'
import { FileSink } from './file-sink.ts'

export interface StagedTar {
  readonly diffId: Digest
  readonly size: number
  readonly tree: LayerTree
}

/**
 * Writes `source` to the new file `path` and, in the same pass, hashes and parses it. Resolves once the file is
 * durable (`direct` as for FileSink); an archive that is malformed or cut off is refused at the first byte that shows it.
 */
export async function stageTar(
  source: AsyncIterable<Uint8Array>,
  path: string,
  options: { readonly signal?: AbortSignal | undefined; readonly direct?: boolean } = {},
): Promise<StagedTar> {
  const tree = new LayerTree()
  const parser = new TarParser(tree)
  const hash = createHash('sha256')
  let size = 0

  const sink = await FileSink.create(path, { direct: options.direct ?? false }).catch((error: unknown) => {
    throw storageError(error, path)
  })
  await using _close = sink
  for await (const chunk of abortableSource(source, options.signal)) {
    size += chunk.length
    parser.push(chunk)
    hash.update(chunk)
    await attempt(sink.write(chunk), path)
  }
  parser.end()
  await attempt(sink.sync(), path)
  return { diffId: digestFrom(hash), size, tree }
}

/** What stageTar() said about the file `path` that it has written. */
export async function parsedTar(
  { diffId, size }: Pick<StagedTar, 'diffId' | 'size'>,
  path: string,
): Promise<StagedTar> {
  const tree = new LayerTree()
  const parser = new TarParser(tree)
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>) {
    parser.push(chunk)
  }
  parser.end()
  return { diffId, size, tree }
}

/** `source`, given up as soon as `signal` is aborted, even while it is silent. */
export async function* abortableSource(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (signal === undefined) {
    yield* source
    return
  }
  const iterator = source[Symbol.asyncIterator]()
  let pending: Promise<IteratorResult<Uint8Array>> | undefined
  try {
    for (;;) {
      pending = iterator.next()
      const result = await abortable(pending, signal)
      pending = undefined
      if (result.done === true) return
      yield result.value
    }
  } finally {
    const closing = iterator.return?.()
    // A source that is silent cannot be waited for; it ends when it speaks again, and nobody is left to be told.
    if (pending === undefined) await closing
    else void Promise.allSettled([pending, closing])
  }
}

async function attempt(operation: Promise<void> | undefined, path: string): Promise<void> {
  if (operation === undefined) return
  try {
    await operation
  } catch (error) {
    throw storageError(error, path)
  }
}
