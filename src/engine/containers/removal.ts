import type { Background } from '#base/background.ts'
import { EngineError, isKind } from '#base/errors.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { Filters } from '../services.ts'
import type { Container } from './container.ts'
import type { Directories } from './directories.ts'
import { removalInProgress, removeRunning, wrongState } from './errors.ts'
import type { ContainerEvents } from './events.ts'
import type { PathsOf } from './paths.ts'
import { matchesPruneFilters } from './prune-filters.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Restarts } from './restarts.ts'
import { lastOf } from './state.ts'
import type { Supervisor } from './supervisor.ts'
import type { Waiters } from './waiters.ts'

/** Removes the anonymous volumes of a container that nobody else uses. */
export interface AnonymousVolumes {
  removeOf(container: Container): Promise<void>
}

export interface RemovalDeps {
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly supervisor: () => Supervisor
  readonly restarts: Restarts
  readonly snapshots: Snapshots
  readonly runtime: OciRuntime
  readonly volumes: AnonymousVolumes
  readonly waiters: Waiters
  readonly events: ContainerEvents
  readonly paths: PathsOf
  readonly directories: Directories
  readonly background: Background
  /** Forgets what else is kept per container (exec records, samplers). */
  readonly forget: (id: string) => void
}

export interface RemoveOptions {
  readonly force: boolean
  readonly volumes: boolean
  readonly link?: boolean
}

const SIGKILL = 9

/**
 * Takes containers away: the state becomes `removing` (the intent that recovery finishes), the process is ended, the
 * snapshot goes to the trash, and the row goes last. Names and addresses are free again when it resolves.
 */
export class Removal {
  readonly #deps: RemovalDeps
  /** Containers with --rm that are between two lives of an explicit restart. */
  readonly #kept = new Set<string>()
  readonly #underWay = new Set<string>()

  constructor(deps: RemovalDeps) {
    this.#deps = deps
  }

  async remove(id: string, options: RemoveOptions): Promise<void> {
    const { registry, locks } = this.#deps
    if (options.link === true) {
      throw new EngineError(
        'not_implemented',
        'links of the default bridge cannot be removed: there are none',
        {
          code: 'LINKS_UNSUPPORTED',
        },
      )
    }
    if (this.#underWay.has(id)) throw removalInProgress(id)
    if (options.force) this.#deps.restarts.cancel(id)
    using _lock = await locks.acquire(id)
    const container = registry.get(id)
    if (container === undefined) return
    await this.#remove(container, options)
  }

  /** The removal of a container started with --rm, when its process has ended or never began. */
  later(id: string): void {
    const { background, locks, registry } = this.#deps
    background.run('removing a container started with --rm', async () => {
      using _lock = await locks.acquire(id)
      const container = registry.get(id)
      if (
        container === undefined ||
        this.#kept.delete(id) ||
        this.#deps.supervisor().running(id) !== undefined
      ) {
        return
      }
      await this.#remove(container, { force: true, volumes: true })
    })
  }

  /** The next end of `id` is part of a restart by hand. */
  keep(id: string): void {
    this.#kept.add(id)
  }

  async prune(filters: Filters): Promise<{ ContainersDeleted: string[]; SpaceReclaimed: number }> {
    const { registry, snapshots } = this.#deps
    const stopped = registry
      .all()
      .filter(
        ({ state }) => state.status === 'created' || state.status === 'exited' || state.status === 'dead',
      )
      .filter((container) => matchesPruneFilters(container, filters))
    const deleted: string[] = []
    let reclaimed = 0
    for (const { id } of stopped) {
      const size = await snapshots.usage(id)
      try {
        await this.remove(id, { force: false, volumes: false })
      } catch (error) {
        // Somebody started or removed it meanwhile: then it is not ours to prune.
        if (isKind(error, 'conflict')) continue
        throw error
      }
      deleted.push(id)
      reclaimed += size
    }
    return { ContainersDeleted: deleted, SpaceReclaimed: reclaimed }
  }

  async #remove(container: Container, { force, volumes }: RemoveOptions): Promise<void> {
    const { registry } = this.#deps
    const { id, name, state } = container
    const live = state.status === 'running' || state.status === 'paused' || state.status === 'restarting'
    if (live && !force) throw removeRunning(name, state.status)

    this.#underWay.add(id)
    try {
      await this.#end(container)
      const ended = registry.resolve(id)
      registry.update(id, { state: { status: 'removing', last: lastOf(ended.state) } })
      await this.#delete(ended, volumes)
    } finally {
      this.#underWay.delete(id)
    }
  }

  /** Ends the process; its end is handled as every other, but no policy restarts it. */
  async #end(container: Container): Promise<void> {
    const { registry, supervisor, events, runtime } = this.#deps
    const task = supervisor().running(container.id)
    if (task === undefined) return
    registry.update(container.id, { stoppedByHand: true })
    events.publish(container, 'kill', { signal: String(SIGKILL) })
    await task.shim.discard()
    await task.shim.kill('init', SIGKILL)
    // A frozen process does not die before it is thawed.
    if (container.state.status === 'paused') await runtime.resume(container.id)
    await task.exited
  }

  // Point of no return: a removal that has begun is finished, by recovery if need be.
  async #delete(container: Container, withVolumes: boolean): Promise<void> {
    const { registry, snapshots, volumes, waiters, events, paths, directories, forget } = this.#deps
    const { id } = container
    await snapshots.remove(id)
    await directories.remove(paths(id).data)
    registry.remove(id)
    forget(id)
    if (withVolumes) await volumes.removeOf(container)
    events.publish(container, 'destroy')
    waiters.removed(id, lastOf(container.state)?.exitCode ?? 0)
    if (container.hostConfig.AutoRemove !== true) await registry.durable()
  }

  /** Finishes a removal that a crash interrupted. */
  async resume(container: Container): Promise<void> {
    if (container.state.status !== 'removing')
      throw wrongState(container.id, 'container is not being removed')
    await this.#delete(container, container.hostConfig.AutoRemove === true)
  }
}
