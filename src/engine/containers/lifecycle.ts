import type { PlannedRemoval } from '#api/prune-plan.ts'
import type { ContainerUpdateResponse, ContainerWaitResponse } from '#api/generated/types.ts'
import type { Clock } from '#base/clock.ts'
import { EngineError } from '#base/errors.ts'
import type { KeyedMutex } from '#base/mutex.ts'
import type { OciRuntime } from '#runtime/oci-runtime.ts'
import type {
  Cancellable,
  ContainerCreateBody,
  ContainerLifecycle,
  ContainerUpdateBody,
  Filters,
} from '../services.ts'
import { validateName } from './config/names.ts'
import type { ContainerNames } from '../networks/container-names.ts'
import type { LegacyLinks } from '../networks/legacy-links.ts'
import type { Container } from './container.ts'
import type { Creation } from './creation.ts'
import { Endings, type StopOptions } from './endings.ts'
import { during, wrongState } from './errors.ts'
import type { ContainerSettings } from './config/defaults.ts'
import type { ContainerEvents } from './events.ts'
import { Freezer } from './freezer.ts'
import { lockContainer } from './locked.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Removal } from './removal.ts'
import type { Restarts } from './restarts.ts'
import { lastOf, runOf } from './state.ts'
import type { Supervisor } from './supervisor.ts'
import type { Updates } from './updates.ts'
import type { WaitCondition, Waiters } from './waiters.ts'

export interface LifecycleDeps {
  readonly registry: ContainerRegistry
  readonly locks: KeyedMutex
  readonly supervisor: Supervisor
  readonly creation: Creation
  readonly removal: Removal
  readonly restarts: Restarts
  readonly updates: Updates
  readonly runtime: OciRuntime
  readonly waiters: Waiters
  readonly events: ContainerEvents
  readonly clock: Clock
  readonly settings: () => Pick<ContainerSettings, 'stopTimeout'>
  readonly names: Pick<ContainerNames, 'change'>
  readonly links: Pick<LegacyLinks, 'remove'>
}

const conditions: readonly string[] = ['not-running', 'next-exit', 'removed']

/** From create to remove. Every change of one container runs under its lock; reads never take it. */
export class Lifecycle implements ContainerLifecycle {
  readonly #deps: LifecycleDeps
  readonly #endings: Endings
  readonly #freezer: Freezer

  constructor(deps: LifecycleDeps) {
    this.#deps = deps
    this.#freezer = new Freezer(deps)
    this.#endings = new Endings({ ...deps, freezer: this.#freezer })
  }

  create(
    body: ContainerCreateBody,
    options: { readonly name?: string | undefined; readonly platform?: string | undefined },
  ): Promise<{ Id: string; Warnings: string[] }> {
    return this.#deps.creation.create(body, options)
  }

  async start(ref: string, options: Cancellable = {}): Promise<boolean> {
    using locked = await lockContainer(this.#deps, ref, options)
    return await this.#start(locked.container, options)
  }

  stop(ref: string, options: StopOptions = {}): Promise<boolean> {
    return this.#endings.stop(ref, options)
  }

  async restart(ref: string, options: StopOptions = {}): Promise<void> {
    const { id } = this.#deps.registry.resolve(ref)
    // One with --rm is not removed between its two lives.
    using _kept = this.#deps.removal.keep(id)
    await this.#endings.stop(id, options)
    using locked = await lockContainer(this.#deps, id)
    await this.#start(locked.container, {})
    this.#deps.events.publish(locked.container, 'restart')
  }

  kill(ref: string, signal: string | undefined): Promise<void> {
    const id = this.#deps.registry.find(ref)?.id ?? ref
    return during(`cannot kill container: ${ref}`, () => this.#endings.kill(id, signal))
  }

  async pause(ref: string): Promise<void> {
    using locked = await lockContainer(this.#deps, ref)
    await this.#freezer.pause(locked.container)
  }

  async unpause(ref: string): Promise<void> {
    using locked = await lockContainer(this.#deps, ref)
    await this.#freezer.unpause(locked.container)
  }

  async rename(ref: string, name: string): Promise<void> {
    using locked = await lockContainer(this.#deps, ref)
    const { container } = locked
    if (name === '') {
      throw new EngineError('invalid_argument', 'Neither old nor new names may be empty', {
        code: 'CONTAINER_NAME_INVALID',
      })
    }
    if (name.replace(/^\//, '') === container.name) {
      throw new EngineError(
        'invalid_argument',
        'Renaming a container with the same name as its current name',
        {
          code: 'CONTAINER_SAME_NAME',
        },
      )
    }
    const renamed = await during('Error when allocating new name', async () =>
      this.#deps.registry.update(container.id, {
        name: validateName(name.startsWith('/') ? name : `/${name}`),
      }),
    )
    this.#deps.events.publish(renamed, 'rename', { oldName: `/${container.name}` })
    await this.#deps.names.change(renamed, runOf(renamed.state)?.endpoints ?? [])
    await this.#deps.registry.durable()
  }

  async update(ref: string, body: ContainerUpdateBody): Promise<ContainerUpdateResponse> {
    using locked = await lockContainer(this.#deps, ref)
    const { container } = locked
    const warnings = await during(`Cannot update container ${container.id}`, () =>
      this.#deps.updates.apply(container, body),
    )
    return { Warnings: warnings.length === 0 ? null : warnings }
  }

  async remove(
    ref: string,
    options: { readonly force: boolean; readonly volumes: boolean; readonly link: boolean },
  ): Promise<void> {
    if (options.link) {
      await this.#deps.links.remove(ref)
      return
    }
    const { id } = this.#deps.registry.resolve(ref)
    await this.#deps.removal.remove(id, { ...options, ref })
  }

  prune(filters: Filters): Promise<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }> {
    return this.#deps.removal.prune(filters)
  }

  planPrune(filters: Filters): Promise<PlannedRemoval[]> {
    return this.#deps.removal.planPrune(filters)
  }

  wait(
    ref: string,
    condition: string | undefined,
    options: Cancellable = {},
  ): { readonly result: Promise<ContainerWaitResponse> } {
    const { registry, waiters } = this.#deps
    const wanted = condition === undefined || condition === '' ? 'not-running' : condition
    if (!isCondition(wanted)) {
      throw new EngineError('invalid_argument', `invalid condition: "${wanted}"`, { code: 'WAIT_CONDITION' })
    }
    const { id, state } = registry.resolve(ref)
    const runs = state.status === 'running' || state.status === 'paused' || state.status === 'restarting'
    if (wanted === 'not-running' && !runs) {
      const { exitCode = 0, error = '' } = lastOf(state) ?? {}
      return {
        result: Promise.resolve({ StatusCode: exitCode, ...(error ? { Error: { Message: error } } : {}) }),
      }
    }
    return { result: waiters.wait(id, wanted, options.signal) }
  }

  async #start({ id, state, hostConfig }: Container, options: Cancellable): Promise<boolean> {
    const { registry, restarts, supervisor, removal } = this.#deps
    switch (state.status) {
      case 'running':
        return false
      case 'paused':
        throw wrongState(id, 'cannot start a paused container, try unpause instead')
      case 'removing':
      case 'dead':
        throw wrongState(id, 'container is marked for removal and cannot be started')
      case 'restarting':
        restarts.cancel(id)
        break
      case 'created':
      case 'exited':
    }
    restarts.reset(id)
    try {
      const byHand = { stoppedByHand: false, restartCount: 0 }
      await supervisor.launch(registry.resolve(id), { ...options, with: byHand })
    } catch (error) {
      // A client that leaves before the start has begun has not asked for the removal.
      if (hostConfig.AutoRemove === true && options.signal?.aborted !== true) removal.later(id)
      throw error
    }
    return true
  }
}

function isCondition(text: string): text is WaitCondition {
  return conditions.includes(text)
}
