import { basename, join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { digestOf, hexOf } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import { decodeBytes, type TarMember } from '#oci/tar/entry.ts'
import { type LayerNode, LayerTree } from '#oci/tar/layer-tree.ts'
import type { Helper } from '#os/helper.ts'
import { readContextList } from './context-list.ts'
import { changedFile } from './errors.ts'
import type { FileSource } from './file-source.ts'
import { KeptContext, type KeptFile } from './kept-context.ts'
import { KeptStore } from './kept-store.ts'
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

interface Open {
  readonly context: KeptContext
  readonly uses: DisposableStack
  /** Who has listed it and is not through. */
  users: number
}

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
  readonly store: KeptStore
  readonly #deps: ReceivedContextsDeps
  readonly #open = new Map<string, Open>()
  readonly #sessions = new Map<string, Map<string, Received>>()

  constructor(deps: ReceivedContextsDeps) {
    const { dataRoot, helper, clock, kept: limit = KEPT } = deps
    this.#deps = deps
    this.store = new KeptStore({ directory: join(dataRoot, 'build', 'received'), helper, clock, limit })
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
    await this.store.tidy()
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
    using _lock = await this.store.lock(key)
    const open = this.#open.get(key) ?? {
      context: await KeptContext.load(this.store.path(key)),
      uses: new DisposableStack(),
      users: 0,
    }
    this.#open.set(key, open)
    open.uses.use(this.store.use(key))
    open.users++
    return open.context
  }

  async #release(session: string, name: string): Promise<void> {
    const contexts = this.#sessions.get(session)
    const received = contexts?.get(name)
    if (contexts === undefined || received === undefined) return
    contexts.delete(name)
    const { context, members, forgotten } = received
    const key = basename(context.directory)
    using _lock = await this.store.lock(key)
    const open = this.#open.get(key)
    if (open === undefined || --open.users > 0) return
    this.#open.delete(key)
    using _uses = open.uses
    const outcome = forgotten ? 'empty' : await context.save(members)
    if (outcome === 'empty') await this.#deps.helper.removeTree(context.directory)
    if (outcome === 'unchanged') await this.store.touch(key)
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
