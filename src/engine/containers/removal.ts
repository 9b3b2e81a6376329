import type { PlannedRemoval } from '#api/prune-plan.ts'
import type { Background } from '#base/background.ts'
import { type Clock, settlesWithin } from '#base/clock.ts'
import { isKind, messageOf } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type { Snapshots } from '#store/snapshots/snapshots.ts'
import type { VolumeRow } from '#store/volumes.ts'
import type { Filters } from '../services.ts'
import type { Volumes } from '../volumes/volumes.ts'
import type { Attachments } from './attachments.ts'
import type { Container } from './container.ts'
import type { Directories } from './directories.ts'
import { removalInProgress, removeRunning, survivedKill, wrongState } from './errors.ts'
import { rotationOf } from '../logs/log-options.ts'
import { logConfigOf } from './container-log.ts'
import type { ContainerEvents } from './events.ts'
import type { LogDrivers } from './log-drivers.ts'
import type { MountSourcesOf } from './mount-sources.ts'
import type { PathsOf } from './paths.ts'
import { matchesPruneFilters } from './prune-filters.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Remains } from './remains.ts'
import type { Restarts } from './restarts.ts'
import { lastOf, runOf, startedOf } from './state.ts'
import type { Supervisor } from './supervisor.ts'
import { KILL_PATIENCE } from './task.ts'
import type { Waiters } from './waiters.ts'

export interface RemovalDeps {
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly supervisor: () => Supervisor
  readonly restarts: Restarts
  readonly snapshots: Snapshots
  readonly runtime: OciRuntime
  readonly remains: Pick<Remains, 'end'>
  readonly attachments: Attachments
  readonly clock: Clock
  readonly logger: Logger
  readonly volumes: Pick<Volumes, 'forget' | 'discard'>
  readonly mountSources: Pick<MountSourcesOf, 'release'>
  readonly waiters: Waiters
  readonly logDrivers: Pick<LogDrivers, 'finish'>
  readonly events: ContainerEvents
  readonly paths: PathsOf
  readonly directories: Directories
  readonly background: Background
  /** Forgets what else is kept per container (exec records, samplers). */
  readonly forget: (id: string) => void
}

export interface RemoveOptions {
  /** What the client called it. */
  readonly ref: string
  readonly force: boolean
  readonly volumes: boolean
}

const SIGKILL = 9

/**
 * Takes containers away: the intent is noted (recovery finishes what it finds), the process is ended, the snapshot goes
 * to the trash, and the row goes last. The name is free when it resolves; addresses and ports follow with the shim's end,
 * for which a start waits that needs them.
 */
export class Removal {
  readonly #deps: RemovalDeps
  /** Containers that are being restarted by hand, and whether they were to be removed meanwhile. */
  readonly #kept = new Map<string, { holders: number; due: boolean }>()
  readonly #underWay = new Set<string>()

  constructor(deps: RemovalDeps) {
    this.#deps = deps
  }

  async remove(id: string, options: RemoveOptions): Promise<void> {
    const { registry, locks } = this.#deps
    if (this.#underWay.has(id)) throw removalInProgress(registry.resolve(id).name)
    if (options.force) this.#deps.restarts.cancel(id)
    using _lock = await locks.acquire(id)
    const container = registry.get(id)
    if (container === undefined) return
    await this.#remove(container, options)
  }

  /** The removal of a container started with --rm, when its process has ended or never began. */
  later(id: string): void {
    const { background } = this.#deps
    background.run('removing a container started with --rm', () => this.#removeEnded(id))
  }

  /** Until it is disposed, the end of `id` is part of a restart by hand and no reason to remove it. */
  keep(id: string): Disposable {
    const kept = this.#kept.get(id) ?? { holders: 0, due: false }
    kept.holders += 1
    this.#kept.set(id, kept)
    return {
      [Symbol.dispose]: () => {
        kept.holders -= 1
        if (kept.holders > 0) return
        this.#kept.delete(id)
        if (kept.due) this.later(id)
      },
    }
  }

  async #removeEnded(id: string): Promise<void> {
    const { registry, locks, supervisor, waiters } = this.#deps
    using _lock = await locks.acquire(id)
    const container = registry.get(id)
    const kept = this.#kept.get(id)
    if (kept !== undefined) kept.due = true
    if (container === undefined || kept !== undefined || supervisor().running(id) !== undefined) return
    try {
      await this.#remove(container, { ref: id, force: true, volumes: true })
    } catch (error) {
      waiters.notRemoved(id, lastOf(container.state)?.exitCode ?? 0, messageOf(error))
      throw error
    }
  }

  async prune(filters: Filters): Promise<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }> {
    const { events } = this.#deps
    const deleted: string[] = []
    let reclaimed = 0
    for (const { id } of this.#prunable(filters)) {
      const size = await this.#space(id)
      try {
        await this.remove(id, { ref: id, force: false, volumes: false })
      } catch (error) {
        // Somebody started or removed it meanwhile: then it is not ours to prune.
        if (isKind(error, 'conflict')) continue
        throw error
      }
      deleted.push(id)
      reclaimed += size
    }
    events.pruned(reclaimed)
    return { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed }
  }

  async planPrune(filters: Filters): Promise<PlannedRemoval[]> {
    const stopped = this.#prunable(filters)
    return Promise.all(
      stopped.map(async ({ id, name }) => {
        return { Kind: 'container' as const, ID: id, Name: name, Size: await this.#space(id) }
      }),
    )
  }

  #prunable(filters: Filters): readonly Container[] {
    return this.#deps.registry
      .all()
      .filter(
        ({ state }) => state.status === 'created' || state.status === 'exited' || state.status === 'dead',
      )
      .filter((container) => matchesPruneFilters(container, filters))
  }

  async #space(id: string): Promise<number> {
    const { snapshots, directories, paths } = this.#deps
    return (await snapshots.space(id)) + (await directories.space(paths(id).data))
  }

  /** Finishes a removal that a crash interrupted; the process has been ended. */
  async resume(container: Container): Promise<void> {
    if (container.removal === undefined) throw wrongState(container.id, 'container is not being removed')
    await this.#delete(container)
  }

  async #remove(container: Container, { ref, force, volumes }: RemoveOptions): Promise<void> {
    const { registry, restarts } = this.#deps
    const { id, state } = container
    const live = state.status === 'running' || state.status === 'paused' || state.status === 'restarting'
    if (live && !force) throw removeRunning(ref, state.status)

    this.#underWay.add(id)
    try {
      restarts.cancel(id)
      const leaving = registry.update(id, { removal: { volumes }, stoppedByHand: true })
      await this.#end(leaving)
      await this.#delete(registry.resolve(id))
    } catch (error) {
      // Not ended after all: it is there as before.
      if (registry.get(id)?.state.status !== 'removing') this.#revoke(id)
      throw error
    } finally {
      this.#underWay.delete(id)
    }
  }

  #revoke(id: string): void {
    const { registry } = this.#deps
    if (registry.get(id) !== undefined) registry.update(id, { removal: undefined })
  }

  /** Ends the process; its end is handled as every other, but no policy restarts it. */
  async #end(container: Container): Promise<void> {
    const { supervisor, events, runtime, remains, clock } = this.#deps
    const { id, state, hostConfig } = container
    const task = supervisor().running(id)
    if (task === undefined) {
      // A process that could not be taken over when the daemon started.
      if (runOf(state) !== undefined || state.status === 'dead')
        await remains.end(startedOf(container), hostConfig)
      return
    }
    events.publish(container, 'kill', { signal: String(SIGKILL) })
    await supervisor().signal(task, SIGKILL, { discard: true })
    // A frozen process does not die before it is thawed.
    if (state.status === 'paused') await runtime.resume(startedOf(container))
    if (!(await settlesWithin(clock, KILL_PATIENCE, task.exited))) throw survivedKill(id)
  }

  // Point of no return: a removal that has begun is finished, by recovery if need be.
  async #delete(container: Container): Promise<void> {
    const { registry, snapshots, volumes, waiters, events, paths, directories, attachments, forget } =
      this.#deps
    const { mountSources } = this.#deps
    const { id, state, removal } = container
    const last = lastOf(state)
    registry.update(id, { state: { status: 'removing', last } })
    // What it had mounted is free for whoever asks next.
    await mountSources.release(id)
    await snapshots.remove(id)
    await this.#endLog(container)
    await directories.remove(paths(id).data)
    // Rows first and together: a directory without a row is found and removed after a crash.
    let freed: readonly VolumeRow[] = []
    registry.remove(id, () => {
      if (removal?.volumes === true) freed = volumes.forget(volumesOf(container))
    })
    forget(id)
    attachments.abandon(id)
    await this.#discard(freed)
    // Before the event: clients that removed it and watch take the event for the answer, and hang up.
    if (container.hostConfig.AutoRemove !== true) await registry.durable()
    events.publish(container, 'destroy')
    waiters.removed(id, last?.exitCode ?? 0)
  }

  /** Nobody writes to the log's directory any more: what packs rotated files ends with the supervisor. */
  async #endLog(container: Container): Promise<void> {
    const { logDrivers, supervisor, clock } = this.#deps
    await logDrivers.finish(container.id)
    if (rotationOf(logConfigOf(container))?.compress !== true) return
    await settlesWithin(clock, KILL_PATIENCE, supervisor().settled(container.id))
  }

  /** The container is gone, and so are the rows of its volumes: what stays of them is removed at the next start. */
  async #discard(freed: readonly VolumeRow[]): Promise<void> {
    try {
      await this.#deps.volumes.discard(freed)
    } catch (error) {
      this.#deps.logger.error('anonymous volumes cannot be removed', {
        volumes: freed.map(({ name }) => name),
        error,
      })
    }
  }
}

function volumesOf({ mounts }: Container): string[] {
  return mounts.flatMap(({ type, name }) => (type === 'volume' && name !== undefined ? [name] : []))
}
