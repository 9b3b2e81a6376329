import { type Digest, digestOf } from '#base/digest.ts'
import { MemorySnapshots } from '#store/snapshots/memory-snapshots.ts'
import { temporaryDirectory } from '#test/support/native.ts'
import { parseFileMode } from '../dockerfile/file-mode.ts'
import type { CopySource, CopyStep, DirectoryStep, FileOrigin } from '../graph/operations.ts'
import type { CopyInputs, Ready } from '../solve/ports.ts'
import { LayerFiles } from './layer-files.ts'
import { MemorySource, MemoryTree } from './memory-tree.fixture.ts'

const label = { name: '', stage: 'stage-0', instruction: '', line: 1, args: {}, uncached: false }

const context = { kind: 'context', name: 'context' } as const

export interface CopyOptions {
  readonly chown?: string
  readonly chmod?: string
  readonly link?: boolean
  readonly parents?: boolean
  readonly exclude?: readonly string[]
}

/** A source of ADD. */
export function added(pattern: string, from: FileOrigin = context): CopySource {
  return { type: 'files', from, pattern, unpack: 'auto' }
}

export function document(name: string, content: string): CopySource {
  return { type: 'document', name, content }
}

/** Steps on files in memory: a build context, and a root filesystem that grows by their layers. */
export class CopyWorld {
  readonly sources: MemorySource[] = []
  readonly snapshots = new MemorySnapshots()
  readonly #context: MemoryTree
  readonly #ignoredBy: (path: string) => string | undefined
  /** What the layers amount to. */
  root: MemoryTree
  readonly layers: Digest[] = []
  /** What the last step says that it has taken. */
  taken: Digest | undefined
  /** What steps had to say beside what they made. */
  readonly notes: string[] = []
  readonly #files: LayerFiles

  constructor(
    files: MemoryTree,
    below: MemoryTree = new MemoryTree(),
    ignoredBy: (path: string) => string | undefined = () => undefined,
  ) {
    this.#context = files
    this.#ignoredBy = ignoredBy
    this.root = below
    this.layers.push(digestOf('below'))
    const spool = { take: async () => temporaryDirectory('spool') }
    this.#files = new LayerFiles({ snapshots: this.snapshots, below: async () => this.root.below(), spool })
  }

  /** `COPY sources… destination`; the layer's digest, or undefined when nothing changes. */
  async copy(
    sources: readonly (string | CopySource)[],
    destination: string,
    options: CopyOptions = {},
  ): Promise<Digest | undefined> {
    const { layer, taken } = await this.#files.copy(
      this.#ready(step(sources, destination, options)),
      (line) => this.notes.push(line),
    )
    this.taken = taken
    return this.#grow(layer)
  }

  async inspect(
    sources: readonly (string | CopySource)[],
    destination: string,
    options: CopyOptions = {},
  ): Promise<CopyInputs> {
    return this.#files.inspect({ ...this.#ready(step(sources, destination, options)), layers: [] })
  }

  async workdir(path: string, user = ''): Promise<Digest | undefined> {
    const directory: DirectoryStep = { kind: 'directory', on: { kind: 'scratch' }, label, path, user }
    const { layer } = await this.#files.directory(this.#ready(directory), (line) => this.notes.push(line))
    return this.#grow(layer)
  }

  /** Names in the archive of a layer, in its order. */
  async names(layer: Digest): Promise<string[]> {
    const only = new MemoryTree()
    only.files.clear()
    await only.apply(this.snapshots.tar(layer))
    return [...only.files.keys()]
  }

  #ready<S>(of: S): Ready<S> {
    return {
      step: of,
      layers: this.layers,
      open: async () => {
        const source = this.#context.source()
        source.ignoredBy = this.#ignoredBy
        this.sources.push(source)
        return source
      },
      signal: new AbortController().signal,
    }
  }

  async #grow(layer: Digest | undefined): Promise<Digest | undefined> {
    if (layer === undefined) return undefined
    const grown = this.root.copy()
    await grown.apply(this.snapshots.tar(layer))
    this.root = grown
    this.layers.push(layer)
    return layer
  }
}

function step(
  sources: readonly (string | CopySource)[],
  destination: string,
  { chown, chmod, link = false, parents = false, exclude = [] }: CopyOptions,
): CopyStep {
  return {
    kind: 'copy',
    on: { kind: 'scratch' },
    label,
    sources: sources.map((source) =>
      typeof source === 'string'
        ? { type: 'files', from: context, pattern: source, unpack: 'never' }
        : source,
    ),
    destination,
    owner: chown,
    mode: chmod === undefined ? undefined : parseFileMode(chmod),
    link,
    parents,
    exclude,
  }
}
