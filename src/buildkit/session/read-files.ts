import { EngineError } from '#base/errors.ts'
import { FileSync, type FileQuery } from './file-sync.ts'
import type { GrpcClient } from '../grpc/client.ts'
import { entryOf } from './receive-context.ts'

/** Bytes of all of them: they are kept in memory. */
const LARGEST = 4 << 20

export interface ReadOptions {
  readonly signal: AbortSignal
  /** Told how many bytes have come in all. */
  readonly onBytes: (total: number) => void
}

/** A few small files of a directory of the client, by path: those that are there. */
export async function readFiles(
  client: GrpcClient,
  query: FileQuery,
  { signal, onBytes }: ReadOptions,
): Promise<ReadonlyMap<string, string>> {
  using sync = new FileSync(client, query, signal)
  const wanted: { readonly id: number; readonly size: number; readonly path: string }[] = []
  let [id, total] = [0, 0]
  for await (const stat of sync.list()) {
    const entry = entryOf(stat)
    if (entry?.type === 'file') wanted.push({ id, size: entry.size, path: entry.path })
    total += entry?.size ?? 0
    id++
  }
  if (total > LARGEST) throw tooLarge(query, total)
  const texts = new Map<string, string>()
  for await (const { file, data } of sync.contents(wanted)) {
    texts.set(file.path, Buffer.concat(await Array.fromAsync(data)).toString('utf8'))
  }
  await sync.finish()
  onBytes(total)
  return texts
}

function tooLarge({ directory }: FileQuery, size: number): EngineError {
  return new EngineError(
    'invalid_argument',
    `failed to read dockerfile: the files of ${directory} have ${size} bytes; at most ${LARGEST} are read`,
    { code: 'DOCKERFILE_UNREADABLE' },
  )
}
