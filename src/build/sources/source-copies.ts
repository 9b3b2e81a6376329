import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Helper } from '#os/helper.ts'
import type { TreeEntry, Trees } from '#os/tree.ts'
import type { FileSource } from './file-source.ts'

/** A directory that is removed when disposed. */
export interface SpoolDirectory extends AsyncDisposable {
  readonly path: string
}

export interface SourceCopies {
  /** All files of the source as it shows them, in a directory that can be mounted. */
  copy(source: FileSource, options?: { readonly signal?: AbortSignal | undefined }): Promise<SpoolDirectory>
}

export interface SpoolDeps {
  readonly dataRoot: string
  readonly helper: Pick<Helper, 'removeTree'>
  readonly trees: Pick<Trees, 'write'>
}

/** What builds need on the disk while they run: `DATA_ROOT/build/contexts/<random>`. Nothing of it outlives the daemon. */
export class Spool implements SourceCopies {
  readonly #directory: string
  readonly #deps: SpoolDeps

  constructor(deps: SpoolDeps) {
    this.#deps = deps
    this.#directory = join(deps.dataRoot, 'build', 'contexts')
  }

  /** Removes what a daemon that was killed has left. To be called before anything else. */
  async recover(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.#directory)) {
      await this.#deps.helper.removeTree(join(this.#directory, name))
    }
  }

  /** A new, empty directory. */
  async take(): Promise<SpoolDirectory> {
    const path = join(this.#directory, randomBytes(8).toString('hex'))
    await mkdir(path, { recursive: true })
    // It may become the root of a mount: whoever the process is, it may look into it.
    await chmod(path, 0o755)
    return { path, [Symbol.asyncDispose]: () => this.#deps.helper.removeTree(path) }
  }

  async copy(
    source: FileSource,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<SpoolDirectory> {
    await using owned = new AsyncDisposableStack()
    const spool = owned.use(await this.take())
    await this.#deps.trees.write({ directory: spool.path }, '/', entriesOf(source, options.signal), options)
    const kept = owned.move()
    return { path: spool.path, [Symbol.asyncDispose]: () => kept.disposeAsync() }
  }
}

async function* entriesOf(source: FileSource, signal: AbortSignal | undefined): AsyncGenerator<TreeEntry> {
  for await (const file of source.walk('', { signal })) {
    yield { record: file.attributes, data: file.read() }
  }
}
