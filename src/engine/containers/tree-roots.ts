import { newId } from '#base/ids.ts'
import type { Helper } from '#os/helper.ts'
import type { TreeRoot } from '#os/tree.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Container } from './container.ts'
import type { MountSource, MountSourcesOf } from './mount-sources.ts'
import type { PathsOf } from './paths.ts'
import { runOf } from './state.ts'

/** What a root needs stays mounted until it is disposed. */
export interface OpenedRoot extends AsyncDisposable {
  readonly root: TreeRoot
}

/** Where the files of a container are seen from, running or not. */
export class TreeRoots {
  readonly #snapshots: Snapshots
  readonly #helper: Helper
  readonly #paths: PathsOf
  readonly #sources: Pick<MountSourcesOf, 'open'>

  constructor(snapshots: Snapshots, helper: Helper, paths: PathsOf, sources: Pick<MountSourcesOf, 'open'>) {
    this.#snapshots = snapshots
    this.#helper = helper
    this.#paths = paths
    this.#sources = sources
  }

  /** As the container's processes see it, volumes and binds included. */
  async whole(container: Container): Promise<OpenedRoot> {
    const run = runOf(container.state)
    if (run !== undefined) return opened({ join: run.pid, startTime: run.startTime, root: '/' })
    const { sources, ...held } = await this.#sources.open(container, `look-${newId()}`)
    try {
      return { root: await this.#stopped(container, bindsOf(container, sources)), ...held }
    } catch (error) {
      await held[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The root filesystem alone. */
  async rootfs(container: Container): Promise<TreeRoot> {
    const run = runOf(container.state)
    if (run !== undefined) return { join: run.shimPid, root: this.#paths(container.id).rootfs }
    return this.#stopped(container, [])
  }

  async #stopped(container: Container, binds: Binds): Promise<TreeRoot> {
    const overlay = await this.#snapshots.root(container.id, container.layers)
    return { join: this.#helper.pid, overlay, binds }
  }
}

type Binds = Extract<TreeRoot, { overlay: unknown }>['binds']

function bindsOf({ mounts }: Container, sources: ReadonlyMap<string, MountSource>): Binds {
  return mounts
    .filter(({ type }) => type !== 'tmpfs')
    .map(({ source, destination, readWrite, subpath }) => ({
      source: sources.get(destination)?.path ?? source,
      destination,
      readOnly: !readWrite || sources.get(destination)?.readOnly === true,
      ...(subpath === undefined ? {} : { below: subpath }),
    }))
}

function opened(root: TreeRoot): OpenedRoot {
  return { root, [Symbol.asyncDispose]: async () => undefined }
}
