import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { digestOf, hexOf } from '#base/digest.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import { KeyedMutex } from '#base/mutex.ts'
import { decodeBytes, type TarMember } from '#oci/tar/entry.ts'
import { type LayerNode, LayerTree } from '#oci/tar/layer-tree.ts'
import type { Helper } from '#os/helper.ts'
import { fileBytes } from '#store/usage/blocks.ts'
import { readContextList } from './context-list.ts'
import { changedFile } from './errors.ts'
import type { FileSource } from './file-source.ts'
import { KeptContext, type KeptFile } from './kept-context.ts'
import { NOTHING, nothing } from './nothing.ts'
import type { SourceCopies } from './source-copies.ts'
import type { SpoolFile } from './spool-file.ts'
import { type TreeContents, TreeSource } from './tree-source.ts'

export interface ReceivedContextsDeps {
  readonly dataRoot: string
  readonly helper: Pick<Helper, 'removeTree'>
  readonly copies: SourceCopies
  readonly clock: Clock
  /** Bytes of all that is kept for later builds; 8 GiB by default. */
  readonly kept?: number | undefined
}

const KEPT = 8 * 2 ** 30
/** Milliseconds without a build after which a directory is forgotten. */
const PATIENCE = 14 * 86_400_000

interface Received {
  readonly members: readonly TarMember[]
  readonly tree: LayerTree
  readonly context: KeptContext
  /** By place in the list. */
  readonly files: Map<number, KeptFile>
  /** What is still to come, by path. */
  readonly missing: Map<string, TarMember>
  /** Nobody will ask for it again. */
  readonly forgotten: boolean
}

/**
 * Directories of clients on other hosts. What a client has sent is kept in `DATA_ROOT/build/received/<directory>`, so that the
 * next time it sends only what has changed since.
 */
export class ReceivedContexts {
  readonly #directory: string
  readonly #deps: ReceivedContextsDeps
  readonly #locks = new KeyedMutex()
  readonly #open = new Map<string, KeptContext>()
  readonly #sessions = new Map<string, Map<string, Received>>()

  constructor(deps: ReceivedContextsDeps) {
    this.#deps = deps
    this.#directory = join(deps.dataRoot, 'build', 'received')
  }

  /** Takes the list of a context's files (see context-list.ts); answers with the paths whose contents are not known. */
  async list(session: string, name: string, stats: AsyncIterable<Uint8Array>): Promise<readonly string[]> {
    const { directory, members } = await readContextList(stats)
    const tree = new LayerTree({ plain: true })
    for (const member of members) tree.entry(member)
    await this.#release(session, name)
    const context = await this.#acquire(directory ?? newId())
    const files = new Map<number, KeptFile>()
    const missing = new Map<string, TarMember>()
    for (const member of members) {
      if (member.type !== 'file' || member.size === 0) continue
      const file = context.known(member)
      if (file === undefined) missing.set(member.path, member)
      else files.set(member.offset, file)
    }
    const received = { members, tree, context, files, missing, forgotten: directory === undefined }
    const contexts = this.#sessions.get(session) ?? new Map<string, Received>()
    this.#sessions.set(session, contexts.set(name, received))
    return [...missing.keys()].map(decodeBytes)
  }

  /** Takes an archive of what was wanted, or of part of it. A file that has changed since it was listed is `data_loss`. */
  async fill(session: string, name: string, tar: AsyncIterable<Uint8Array>): Promise<void> {
    const { context, missing, files } = this.#received(session, name)
    const seen = new Set<string>()
    await context.take(
      tar,
      (member) => {
        const wanted = missing.get(member.path)
        if (wanted === undefined || seen.has(member.path)) throw unwanted(name, member.path)
        seen.add(member.path)
        if (!isUnchanged(member, wanted)) throw changedFile(`context ${name}`, decodeBytes(member.path))
      },
      (path, file) => {
        const wanted = missing.get(path)
        if (wanted === undefined) return
        missing.delete(path)
        files.set(wanted.offset, file)
      },
    )
  }

  /** The files of the list; all that was wanted has come. */
  async open(session: string, name: string): Promise<FileSource> {
    const { context, missing, files, tree } = this.#received(session, name)
    const [first] = missing.keys()
    if (first !== undefined) throw incomplete(name, decodeBytes(first), missing.size)
    return new TreeSource({
      name: name === 'context' ? 'build context' : `context ${name}`,
      tree,
      copies: this.#deps.copies,
      contents: new PackedContents(context, files),
    })
  }

  /** Ends what a session has listed; what it has sent is kept for the next one. */
  async drop(session: string): Promise<void> {
    const names = this.#sessions.get(session)?.keys().toArray() ?? []
    for (const name of names) await this.#release(session, name)
    this.#sessions.delete(session)
    await this.#tidy()
  }

  /** Removes what no session uses; returns the bytes. */
  async clear(): Promise<number> {
    return this.#removeIf(() => true)
  }

  #received(session: string, name: string): Received {
    const received = this.#sessions.get(session)?.get(name)
    if (received !== undefined) return received
    throw new EngineError('not_found', `the session has no context ${name}: its list has not been sent`, {
      code: 'CONTEXT_NOT_FOUND',
      details: { session, name },
    })
  }

  async #acquire(directory: string): Promise<KeptContext> {
    const key = hexOf(digestOf(directory))
    using _lock = await this.#locks.acquire(key)
    const context = this.#open.get(key) ?? (await KeptContext.load(join(this.#directory, key)))
    this.#open.set(key, context)
    context.users++
    return context
  }

  async #release(session: string, name: string): Promise<void> {
    const contexts = this.#sessions.get(session)
    const received = contexts?.get(name)
    if (contexts === undefined || received === undefined) return
    contexts.delete(name)
    const { context, members, forgotten } = received
    const key = context.directory.slice(this.#directory.length + 1)
    using _lock = await this.#locks.acquire(key)
    context.users--
    if (context.users > 0) return
    this.#open.delete(key)
    if (forgotten) await this.#deps.helper.removeTree(context.directory)
    else await context.save(members)
  }

  /** Removes what nobody has used for long, and of the rest what was used longest ago until it is little enough. */
  async #tidy(): Promise<void> {
    const { clock, kept = KEPT } = this.#deps
    const oldest = clock.now().getTime() - PATIENCE
    let left = Infinity
    await this.#removeIf(({ used, total }) => {
      left = Math.min(left, total)
      return used < oldest || total > kept
    })
  }

  /** Asks for one after the other, the one used longest ago first; `total` is what all that are left have. */
  async #removeIf(
    condition: (one: { readonly used: number; readonly total: number }) => boolean,
  ): Promise<number> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const all = []
    for (const key of await readdir(this.#directory)) {
      const path = join(this.#directory, key)
      all.push({ key, path, used: await lastUse(path), size: await fileBytes(path) })
    }
    all.sort((a, b) => a.used - b.used)
    let total = all.reduce((sum, { size }) => sum + size, 0)
    let removed = 0
    for (const { key, path, used, size } of all) {
      if (!condition({ used, total })) continue
      using _lock = await this.#locks.acquire(key)
      if (this.#open.has(key)) continue
      await this.#deps.helper.removeTree(path)
      removed += size
      total -= size
    }
    return removed
  }
}

/** Files that lie in archives of a kept context. */
class PackedContents implements TreeContents {
  readonly #context: KeptContext
  readonly #files: ReadonlyMap<number, KeptFile>
  readonly #packs = new Map<string, SpoolFile>()

  constructor(context: KeptContext, files: ReadonlyMap<number, KeptFile>) {
    this.#context = context
    this.#files = files
  }

  read({ offset, size }: LayerNode): AsyncIterable<Uint8Array> {
    const file = this.#files.get(offset)
    if (file === undefined || size === 0) return nothing()
    return this.#pack(file.pack).read(file.offset, size)
  }

  digest({ offset }: LayerNode): ReturnType<NonNullable<TreeContents['digest']>> {
    return this.#files.get(offset)?.digest ?? NOTHING
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pack of this.#packs.values()) await pack[Symbol.asyncDispose]()
  }

  #pack(name: string): SpoolFile {
    const pack = this.#packs.get(name) ?? this.#context.open(name)
    this.#packs.set(name, pack)
    return pack
  }
}

/** When its index was written, or it was made. */
async function lastUse(path: string): Promise<number> {
  for (const file of [join(path, 'index.json'), path]) {
    try {
      return (await stat(file)).mtimeMs
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
    }
  }
  return 0
}

function isUnchanged(sent: TarMember, listed: TarMember): boolean {
  return (
    sent.type === 'file' &&
    sent.extents === undefined &&
    sent.size === listed.size &&
    sent.seconds === listed.seconds &&
    sent.nanoseconds === listed.nanoseconds &&
    (sent.mode & 0o7777) === listed.mode
  )
}

function unwanted(name: string, path: string): EngineError {
  return new EngineError(
    'invalid_argument',
    `context ${name}: ${decodeBytes(path)} was sent, but not asked for`,
    { code: 'CONTEXT_LIST_INVALID', details: { name } },
  )
}

function incomplete(name: string, path: string, count: number): EngineError {
  const more = count === 1 ? '' : ` and ${count - 1} more`
  return new EngineError('invalid_argument', `context ${name}: ${path}${more} has not been sent`, {
    code: 'CONTEXT_INCOMPLETE',
    details: { name, count },
  })
}
