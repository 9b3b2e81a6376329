import { createHash, type Hash } from 'node:crypto'
import { type Digest, digestFrom } from '#base/digest.ts'
import { engineErrorOf } from '#base/errors.ts'
import { decompress, detectCompression } from '#oci/compression.ts'
import type { Expansion } from '#oci/expansion.ts'
import { limits } from '#oci/image-spec.ts'
import type { TarFile } from '#oci/tar/entry.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import type { Addition } from './addition.ts'
import { invalidImage } from './errors.ts'
import { type Report, reportingBytes } from './progress.ts'

/** What an archive of images consists of, by path. Nothing is believed yet but the digests. */
export interface ArchiveContents {
  readonly documents: ReadonlyMap<string, Uint8Array>
  readonly layers: ReadonlyMap<string, ArchivedLayer>
  /** Symlinks, by path; they are never followed on a filesystem. */
  readonly links: ReadonlyMap<string, string>
}

/** A member that may be a layer and has been tried: it is in the store, or there is a reason why not. */
type ArchivedLayer = StoredLayer | { readonly problem: unknown }

export interface StoredLayer {
  readonly diffId: Digest
}

/** All JSON documents together: they are kept in memory. */
const MAX_DOCUMENTS = 64 << 20
const MAX_MEMBERS = 100_000

const BLOB = /^blobs\/sha256\/([0-9a-f]{64})$/

/** The digest that a path of an OCI layout promises. image-layout.md "blobs" */
export function digestOfPath(path: string): Digest | undefined {
  const hex = BLOB.exec(path)?.[1]
  return hex === undefined ? undefined : `sha256:${hex}`
}

interface ReadOptions {
  readonly signal: AbortSignal
  readonly report: Report
  /** Of the archive and all that is in it. */
  readonly expansion: Expansion
}

/**
 * Reads an archive in one pass. The documents that say which members are layers usually come last, so what looks
 * like a layer is stored at once; what turns out not to be needed goes when the addition is disposed.
 */
export async function readArchive(
  archive: AsyncIterable<Uint8Array>,
  addition: Addition,
  options: ReadOptions,
): Promise<ArchiveContents> {
  const documents = new Map<string, Uint8Array>()
  const layers = new Map<string, ArchivedLayer>()
  const links = new Map<string, string>()
  let memory = 0
  let members = 0

  for await (const file of readTar(decompress(options.expansion.from(archive), { signal: options.signal }))) {
    const { type, path, size, link = '' } = file.entry
    options.signal.throwIfAborted()
    if (++members > MAX_MEMBERS) throw invalidImage(`archive has more than ${MAX_MEMBERS} members`)
    if (documents.has(path) || layers.has(path) || links.has(path)) {
      throw invalidImage(`archive has ${path} twice`)
    }
    if (type === 'symlink' || type === 'hardlink') links.set(path, type === 'symlink' ? link : `/${link}`)
    if (type !== 'file') continue

    const { head, data } = await peek(file.data)
    switch (kindOf(path, size, head)) {
      case 'document':
        memory += size
        if (memory > MAX_DOCUMENTS) throw invalidImage('archive has too much metadata')
        documents.set(path, await collect(data))
        break
      case 'layer':
        layers.set(path, await storeLayer({ entry: file.entry, data, head }, addition, options))
        break
      case 'other':
    }
  }
  return { documents, layers, links }
}

type Kind = 'document' | 'layer' | 'other'

function kindOf(path: string, size: number, head: Uint8Array): Kind {
  const isTar = Buffer.from(head.subarray(257, 262)).equals(USTAR)
  const first = Buffer.from(head).toString('latin1').trimStart()[0]
  if (!isTar && size <= limits.config && (first === '{' || first === '[')) return 'document'
  const isNamedSo = path.startsWith('blobs/') || /\.(?:tar|tgz)(?:\.\w+)?$/.test(path)
  return isTar || isNamedSo ? 'layer' : 'other'
}

const USTAR = Buffer.from('ustar')

/** Stores a member as a layer; at a path that promises a digest only bytes that have it. */
async function storeLayer(
  { entry, data, head }: TarFile & { readonly head: Uint8Array },
  addition: Addition,
  { signal, report, expansion }: ReadOptions,
): Promise<ArchivedLayer> {
  const id = nameOf(entry.path)
  const promised = digestOfPath(entry.path)
  let archiveFailure: Error | undefined
  const source = reportingBytes(
    noticing(data, (error) => (archiveFailure = error)),
    (current) => report({ status: 'Loading layer', id, progressDetail: { current, total: entry.size } }),
    entry.size,
  )
  try {
    if (detectCompression(head) === 'none')
      return await addition.ingest(expansion.into(source), { signal, expected: promised })
    const hash = createHash('sha256')
    const tar = expansion.into(decompress(hashing(source, hash), { signal }))
    const layer = await addition.ingest(tar, { signal })
    const digest = digestFrom(hash)
    if (promised === undefined || promised === digest) return layer
    return { problem: invalidImage(`${entry.path}: digest is ${digest}`) }
  } catch (error) {
    signal.throwIfAborted()
    if (archiveFailure !== undefined) throw archiveFailure
    // Only a fault of the member itself can wait until somebody needs the member.
    if (engineErrorOf(error)?.kind !== 'invalid_argument') throw error
    return { problem: error }
  }
}

/** What is shown next to the progress bar: the twelve digits that a path has somewhere, or its last part. */
function nameOf(path: string): string {
  return /[0-9a-f]{64}/.exec(path)?.[0].slice(0, 12) ?? path.split('/').at(-1) ?? path
}

async function* hashing(source: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    hash.update(chunk)
    yield chunk
  }
}

async function* noticing(
  source: AsyncIterable<Uint8Array>,
  onError: (error: Error) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* source
  } catch (error) {
    onError(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

/** The first block, and everything including it. */
async function peek(
  source: AsyncIterable<Uint8Array>,
): Promise<{ readonly head: Uint8Array; readonly data: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]()
  const pieces: Uint8Array[] = []
  for (let size = 0; size < 512;) {
    const { done, value } = await iterator.next()
    if (done === true) break
    pieces.push(value)
    size += value.length
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    yield* pieces
    yield* { [Symbol.asyncIterator]: () => iterator }
  }
  return { head: Buffer.concat(pieces).subarray(0, 512), data: all() }
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks)
}
