import type { Helper } from '#os/helper.ts'
import type { TreeRoot } from '#os/tree.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Container } from './container.ts'
import type { PathsOf } from './paths.ts'
import { runOf } from './state.ts'

/** Where the files of a container are seen from, running or not. */
export class TreeRoots {
  readonly #snapshots: Snapshots
  readonly #helper: Helper
  readonly #paths: PathsOf

  constructor(snapshots: Snapshots, helper: Helper, paths: PathsOf) {
    this.#snapshots = snapshots
    this.#helper = helper
    this.#paths = paths
  }

  /** As the container's processes see it, volumes and binds included. */
  async whole(container: Container): Promise<TreeRoot> {
    const run = runOf(container.state)
    if (run !== undefined) return { join: run.pid, startTime: run.startTime, root: '/' }
    const binds = container.mounts
      .filter(({ type, subpath }) => type !== 'tmpfs' && type !== 'image' && subpath === undefined)
      .map(({ source, destination, readWrite }) => ({ source, destination, readOnly: !readWrite }))
    return this.#stopped(container, binds)
  }

  /** The root filesystem alone. */
  async rootfs(container: Container): Promise<TreeRoot> {
    const run = runOf(container.state)
    if (run !== undefined) return { join: run.shimPid, root: this.#paths(container.id).rootfs }
    return this.#stopped(container, [])
  }

  async #stopped(
    container: Container,
    binds: readonly { readonly source: string; readonly destination: string; readonly readOnly: boolean }[],
  ): Promise<TreeRoot> {
    const overlay = await this.#snapshots.root(container.id, container.layers)
    return { join: this.#helper.pid, overlay, binds }
  }
}
