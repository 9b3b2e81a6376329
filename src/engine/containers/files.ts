import { posix } from 'node:path'
import { EngineError, engineErrorOf, isKind } from '#base/errors.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import { decompress } from '#oci/compression.ts'
import { readTar } from '#oci/tar/read-tar.ts'
import { writeTar } from '#oci/tar/write-tar.ts'
import type { TreeEntry, TreeRecord, TreeRoot, Trees } from '#os/tree.ts'
import { resolveUser } from '#runtime/users.ts'
import type { CommitOptions, Cancellable, ContainerFiles, PathStat } from '../services.ts'
import type { Accounts } from './accounts.ts'
import type { Commits } from './commits.ts'
import type { Container } from './container.ts'
import type { ContainerEvents } from './events.ts'
import { type Locked, lockContainer } from './locked.ts'
import { pathStat } from './path-stat.ts'
import type { ContainerRegistry } from './registry.ts'
import { runOf } from './state.ts'
import type { OpenedRoot, TreeRoots } from './tree-roots.ts'
import { tarOfTree, treeOfTar } from './tree-tar.ts'

export interface FilesDeps {
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly roots: TreeRoots
  readonly trees: Trees
  readonly accounts: Accounts
  readonly commits: Commits
  readonly events: ContainerEvents
  /** Settles when the container's process has ended. */
  readonly ended: (id: string) => Promise<unknown>
}

interface Look extends OpenedRoot {
  readonly container: Container
  readonly record: TreeRecord
}

const ATTEMPTS = 5

interface PutOptions extends Cancellable {
  readonly noOverwriteDirNonDir: boolean
  readonly copyUIDGID: boolean
}

/** Copying into and out of containers, running or not. Paths are resolved inside the container, free of races. */
export class Files implements ContainerFiles {
  readonly #deps: FilesDeps

  constructor(deps: FilesDeps) {
    this.#deps = deps
  }

  async stat(ref: string, path: string): Promise<PathStat> {
    await using look = await this.#look(ref, path)
    return pathStat(look.record, nameOf(path))
  }

  async get(
    ref: string,
    path: string,
    options: Cancellable = {},
  ): Promise<{ readonly stat: PathStat; readonly tar: AsyncIterable<Uint8Array> }> {
    const { events } = this.#deps
    const top = topName(path)
    const { container, record, tree } = await this.#open(ref, path, options)
    const entries = top === '/' ? belowRoot(tree) : tree
    events.publish(container, 'archive-path')
    return { stat: pathStat(record, nameOf(path)), tar: writeTar(tarOfTree(entries)) }
  }

  async put(ref: string, path: string, tar: AsyncIterable<Uint8Array>, options: PutOptions): Promise<void> {
    const { roots, trees, events } = this.#deps
    using still = await this.#still(ref, options)
    const { container } = still
    await using whole = await roots.whole(container)
    const { root } = whole
    const target = await this.#stat(ref, root, `${absolute(path)}/.`)
    if (target.type !== 'directory') throw notDirectory('extraction point is not a directory')
    this.#checkWritable(container, absolute(path))
    // The owner that the archive names stays when the container names none.
    const owner = options.copyUIDGID && container.config.User ? await this.#owner(container) : undefined
    const entries = treeOfTar(readTar(decompress(tar, { signal: options.signal })))
    await trees.write(root, absolute(path), entries, {
      noReplace: options.noOverwriteDirNonDir,
      owner,
      signal: options.signal,
    })
    events.publish(container, 'extract-to-dir')
  }

  async export(ref: string, options: Cancellable = {}): Promise<AsyncIterable<Uint8Array>> {
    const { registry, roots, trees, events } = this.#deps
    const container = registry.resolve(ref)
    const root = await roots.rootfs(container)
    const entries = trees.read(root, '/', { name: '', oneFileSystem: true, signal: options.signal })
    events.publish(container, 'export')
    return writeTar(tarOfTree(entries))
  }

  commit(options: CommitOptions): Promise<{ Id: string }> {
    return this.#deps.commits.commit(options)
  }

  /** A container that does not run cannot be started or removed while its files are mounted to be written to. */
  async #still(ref: string, { signal }: Cancellable): Promise<Locked> {
    const container = this.#deps.registry.resolve(ref)
    if (runOf(container.state) !== undefined) return { container, [Symbol.dispose]: () => undefined }
    const locked = await lockContainer(this.#deps, container.id, { signal })
    if (runOf(locked.container.state) !== undefined) locked[Symbol.dispose]()
    return locked
  }

  /** Looks again when the container ends under the look: its files are to be seen from somewhere else then. */
  async #look(ref: string, path: string): Promise<Look> {
    const { registry, roots, ended } = this.#deps
    for (let attempt = 1; ; attempt += 1) {
      const container = registry.resolve(ref)
      const whole = await roots.whole(container)
      try {
        const record = await this.#stat(ref, whole.root, path)
        if (mustBeDirectory(path) && record.type !== 'directory')
          throw notDirectory(`${path}: not a directory`)
        return { ...whole, container, record }
      } catch (error) {
        await whole[Symbol.asyncDispose]()
        if (attempt === ATTEMPTS || engineErrorOf(error)?.details['errno'] !== 'ESRCH') throw error
        await ended(container.id)
      }
    }
  }

  /** The files at `path` once the first of them has come: from then on the container may end. */
  async #open(
    ref: string,
    path: string,
    { signal }: Cancellable,
  ): Promise<Look & { readonly tree: AsyncIterable<TreeEntry> }> {
    const { trees, ended } = this.#deps
    const top = topName(path)
    const options = { name: top === '/' ? '.' : top, follow: mustBeDirectory(path), signal }
    for (let attempt = 1; ; attempt += 1) {
      const look = await this.#look(ref, path)
      const tree = trees.read(look.root, absolute(path), options)[Symbol.asyncIterator]()
      try {
        return { ...look, tree: continued(await tree.next(), tree, look) }
      } catch (error) {
        await look[Symbol.asyncDispose]()
        if (attempt === ATTEMPTS || engineErrorOf(error)?.details['errno'] !== 'ESRCH') throw error
        await ended(look.container.id)
      }
    }
  }

  /** `ref`: what the client called the container. */
  async #stat(ref: string, root: TreeRoot, path: string): Promise<TreeRecord> {
    try {
      return await this.#deps.trees.stat(root, absolute(path), { follow: mustBeDirectory(path) })
    } catch (error) {
      if (!isKind(error, 'not_found')) throw error
      const shown = path.replace(/(?<=.)\/\.$/, '')
      throw new EngineError('not_found', `Could not find the file ${shown} in container ${ref}`, {
        code: 'PATH_NOT_FOUND',
        cause: error,
      })
    }
  }

  async #owner(container: Container): Promise<{ readonly uid: number; readonly gid: number }> {
    const { passwd, group } = await this.#deps.accounts.of(container)
    return resolveUser(container.config.User ?? '', passwd, group, [])
  }

  /** A read-only root filesystem or volume is not written to from outside either. */
  #checkWritable(container: Container, path: string): void {
    const below = container.mounts
      .filter(({ destination }) => path === destination || path.startsWith(`${destination}/`))
      .toSorted((a, b) => b.destination.length - a.destination.length)[0]
    const readOnly = below === undefined ? container.hostConfig.ReadonlyRootfs === true : !below.readWrite
    if (!readOnly) return
    const what = below === undefined ? 'container rootfs' : 'mounted volume'
    throw new EngineError('invalid_argument', `${what} is marked read-only`, { code: 'READ_ONLY' })
  }
}

/** `held` is disposed at the end. */
async function* continued<T>(
  first: IteratorResult<T>,
  rest: AsyncIterator<T>,
  held: AsyncDisposable,
): AsyncGenerator<T> {
  await using _held = held
  try {
    if (first.done === true) return
    yield first.value
    yield* { [Symbol.asyncIterator]: () => rest }
  } finally {
    await rest.return?.()
  }
}

/** Its end says so: `/dir/` or `/dir/.`. */
function mustBeDirectory(path: string): boolean {
  return /\/\.?$/.test(path)
}

function notDirectory(message: string): EngineError {
  return new EngineError('invalid_argument', message, { code: 'NOT_A_DIRECTORY' })
}

/** Relative paths count from `/`. */
function absolute(path: string): string {
  return posix.resolve('/', path)
}

/** What the names of an archive begin with: `/dir/.` stands for what is in the directory, `/dir/` for the directory. */
function topName(path: string): string {
  return posix.basename(path) === '.' ? '.' : nameOf(path)
}

/**
 * `/x` for what is called `./x`: clients put their own name in front of the slash that the names in an archive of `/` begin
 * with.
 */
async function* belowRoot(entries: AsyncIterable<TreeEntry>): AsyncGenerator<TreeEntry> {
  for await (const { record, data } of entries) {
    const { path, type, link } = record
    const target = type === 'hardlink' && link !== undefined ? { link: link.slice(1) } : {}
    yield { record: { ...record, path: path.slice(1) || '/', ...target }, data }
  }
}

function nameOf(path: string): string {
  return posix.basename(absolute(path)) || '/'
}
