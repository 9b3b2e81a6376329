import { join } from 'node:path'
import { EngineError } from '#base/errors.ts'
import { isUtf8 } from 'node:buffer'
import { Expansion, type ExpansionLimits } from '#oci/expansion.ts'
import { invalidTar } from '#oci/tar/errors.ts'
import { checksumMatches, isZeroBlock, BLOCK } from '#oci/tar/header.ts'
import type { LayerNode } from '#oci/tar/layer-tree.ts'
import { LayerTree } from '#oci/tar/layer-tree.ts'
import { limits } from '#oci/tar/limits.ts'
import { TarParser } from '#oci/tar/parser.ts'
import { decompressAny } from './decompress-any.ts'
import type { FileSource } from './file-source.ts'
import { headOf } from './head-of.ts'
import type { SourceCopies, SpoolDirectory } from './source-copies.ts'
import { SpoolFile, writeSpool } from './spool-file.ts'
import { type TreeContents, TreeSource } from './tree-source.ts'

/** What came as a stream: files, or (when it is no archive) the text of a Dockerfile. */
export type StreamedContext =
  | { readonly type: 'files'; readonly source: FileSource }
  | { readonly type: 'dockerfile'; readonly text: string }

export interface TarContextOptions {
  readonly name: string
  readonly spool: SourceCopies & { take(): Promise<SpoolDirectory> }
  readonly signal?: AbortSignal | undefined
  /** For tests. */
  readonly limits?: ExpansionLimits | undefined
}

/** Bytes of a Dockerfile. */
const LARGEST = 4 << 20

/**
 * Takes a tar of any compression, told by its first bytes, or a Dockerfile. The archive is kept as it is, uncompressed, and
 * read by an index: nothing in it is ever made as a file unless it is to be mounted. Hostile ones are `invalid_argument`,
 * those that grow beyond measure `resource_exhausted`.
 */
export async function openStreamedContext(
  stream: AsyncIterable<Uint8Array>,
  options: TarContextOptions,
): Promise<StreamedContext> {
  const expansion = new Expansion(options.limits)
  const { signal } = options
  const plain = expansion.into(decompressAny(expansion.from(stream), { signal }))
  const head = await headOf(plain, BLOCK)
  if (!isTar(head.bytes)) return { type: 'dockerfile', text: await textOf(head.all(), options.name) }
  return { type: 'files', source: await spooled(head.all(), options) }
}

async function spooled(tar: AsyncIterable<Uint8Array>, options: TarContextOptions): Promise<FileSource> {
  const { name, spool, signal } = options
  await using owned = new AsyncDisposableStack()
  const directory = owned.use(await spool.take())
  const path = join(directory.path, 'context.tar')
  const tree = new LayerTree({ plain: true })
  let holes = 0
  const parser = new TarParser({
    entry: (member) => {
      holes += member.size - member.stored
      if (holes > limits.expandedHoles)
        throw invalidTar(member.path, 'sparse files that are too large when expanded')
      tree.entry(member)
    },
  })
  await writeSpool(path, tar, (chunk) => {
    signal?.throwIfAborted()
    parser.push(chunk)
  })
  parser.end()
  const file = owned.use(new SpoolFile(path))
  return new TreeSource({ name, tree, copies: spool, contents: new ArchivedContents(file, owned.move()) })
}

/** Files in an archive on the disk. */
class ArchivedContents implements TreeContents {
  readonly #file: SpoolFile
  readonly #owned: AsyncDisposableStack

  constructor(file: SpoolFile, owned: AsyncDisposableStack) {
    this.#file = file
    this.#owned = owned
  }

  read({ offset, size, extents }: LayerNode): AsyncIterable<Uint8Array> {
    return extents === undefined
      ? this.#file.read(offset, size)
      : this.#file.readSparse(offset, size, extents)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync()
  }
}

function isTar(head: Buffer): boolean {
  return head.length === BLOCK && (checksumMatches(head, 0) || isZeroBlock(head, 0))
}

async function textOf(source: AsyncIterable<Uint8Array>, name: string): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of source) {
    chunks.push(chunk)
    size += chunk.length
    if (size > LARGEST) throw neither(name, `it is no tar archive, and too large for a Dockerfile`)
  }
  const bytes = Buffer.concat(chunks)
  if (bytes.includes(0) || !isUtf8(bytes)) throw neither(name, 'it is neither a tar archive nor a Dockerfile')
  return bytes.toString('utf8')
}

function neither(name: string, why: string): EngineError {
  return new EngineError('invalid_argument', `${name} cannot be used: ${why}`, { code: 'CONTEXT_INVALID' })
}
