import { EngineError, messageOf } from '#base/errors.ts'
import { decideRestart, startsAtBoot } from './config/restart.ts'
import type { Container } from './container.ts'
import type { ContainerEvents } from './events.ts'
import type { LogDrivers } from './log-drivers.ts'
import type { ContainerRegistry } from './registry.ts'
import type { Removal } from './removal.ts'
import type { Restarts } from './restarts.ts'
import { type Ended, NEVER, lastOf, runOf } from './state.ts'
import type { LifeListener } from './supervisor.ts'
import type { Task, TaskEnd } from './task.ts'
import type { Waiters } from './waiters.ts'

export interface ExitsDeps {
  readonly registry: ContainerRegistry
  readonly waiters: Waiters
  readonly restarts: Restarts
  readonly removal: Removal
  readonly events: ContainerEvents
  readonly logDrivers: Pick<LogDrivers, 'started'>
  /** Health checks begin and end with the process. */
  readonly health: { started(container: Container): void; ended(id: string): void }
}

/** What the engine does when a process starts, runs out of memory or ends. Synchronous: see TaskListener. */
export class Exits implements LifeListener {
  readonly #deps: ExitsDeps

  constructor(deps: ExitsDeps) {
    this.#deps = deps
  }

  started(task: Task): void {
    const { registry, events, health, logDrivers } = this.#deps
    const container = registry.resolve(task.id)
    for (const { networkId, network } of runOf(container.state)?.endpoints ?? []) {
      events.network(container, 'connect', networkId, network)
    }
    events.publish(container, 'start')
    health.started(container)
    logDrivers.started(container, task.exited)
  }

  oom(task: Task): void {
    const { registry, events } = this.#deps
    const container = registry.get(task.id)
    if (container === undefined) return
    const { state } = container
    if (state.status !== 'running' && state.status !== 'paused') return
    if (task.replays && state.run.oomKilled === true) return
    this.#deps.registry.observe(container.id, { state: { ...state, run: { ...state.run, oomKilled: true } } })
    events.publish(container, 'oom')
  }

  exited(task: Task, end: TaskEnd): void {
    const container = this.#deps.registry.get(task.id)
    if (container !== undefined) this.ended(container, end)
  }

  /** The start has failed: why is recorded, unless the client has only changed its mind. */
  failed(id: string, error: unknown): void {
    const { registry, waiters } = this.#deps
    const container = registry.get(id)
    if (container === undefined || runOf(container.state) !== undefined) return
    const { state } = container
    const before = lastOf(state)
    const cancelled = error instanceof EngineError ? error.kind === 'cancelled' : isAbort(error)
    if (cancelled && state.status !== 'restarting') return
    const last: Ended = {
      oomKilled: false,
      startedAt: before?.startedAt ?? NEVER,
      finishedAt: before?.finishedAt ?? NEVER,
      ...(cancelled && before !== undefined
        ? before
        : { exitCode: startExitCode(error), error: messageOf(error) }),
    }
    const status = state.status === 'created' ? 'created' : 'exited'
    this.#deps.registry.observe(container.id, { state: { status, last } })
    // Whoever waited for a restart waits for nothing now.
    if (state.status === 'restarting') waiters.exited(id, last.exitCode, last.error)
  }

  /** Records the end of a life, applies the restart policy once, and tells everybody who waits. */
  ended(container: Container, end: TaskEnd): void {
    const { waiters, removal, health } = this.#deps
    const { id } = container
    health.ended(id)
    const last = lastLife(container, end)
    if (container.state.status === 'removing') {
      this.#deps.registry.observe(container.id, { state: { ...container.state, last } })
    } else if (!this.#restarts(container, last)) {
      this.#deps.registry.observe(container.id, { state: { status: 'exited', last } })
      if (container.hostConfig.AutoRemove === true) removal.later(id)
    }
    this.#publish(container, last)
    waiters.exited(id, end.code, end.error)
  }

  /** When the daemon starts: true for what the policy wants running again, and for restarts that were waiting. */
  resume(container: Container): boolean {
    const { removal } = this.#deps
    const { state, hostConfig, stoppedByHand, restartCount } = container
    // Its process has ended, or could not be started, and the daemon was killed before it could be removed.
    if (hostConfig.AutoRemove === true && runOf(state) === undefined && lastOf(state) !== undefined) {
      removal.later(container.id)
    }
    if (state.status !== 'exited') return state.status === 'restarting'
    const starts = startsAtBoot(hostConfig.RestartPolicy, {
      hasRun: true,
      stoppedByUser: stoppedByHand,
      exitCode: state.last.exitCode,
      restartCount,
    })
    if (starts) this.#restarting(container, state.last)
    return starts
  }

  #restarts(container: Container, last: Ended): boolean {
    const { restarts } = this.#deps
    const { hostConfig, restartCount, stoppedByHand, id } = container
    const decision = decideRestart(
      hostConfig.RestartPolicy,
      { count: restartCount, delay: restarts.lastBackoff(id) },
      {
        exitCode: last.exitCode,
        ranFor: Date.parse(last.finishedAt) - Date.parse(last.startedAt),
        stoppedByUser: stoppedByHand,
      },
    )
    if (!decision.restart) return false
    this.#restarting(container, last)
    restarts.schedule(container.id, decision.state.delay)
    return true
  }

  #restarting(container: Container, last: Ended): void {
    this.#deps.registry.observe(container.id, {
      state: { status: 'restarting', last, attempt: container.restartCount + 1 },
    })
  }

  #publish(container: Container, last: Ended): void {
    const { events } = this.#deps
    const seconds = (Date.parse(last.finishedAt) - Date.parse(last.startedAt)) / 1000
    events.publish(container, 'die', {
      exitCode: String(last.exitCode),
      execDuration: String(Math.max(0, Math.round(seconds))),
    })
    for (const { networkId, network } of runOf(container.state)?.endpoints ?? []) {
      events.network(container, 'disconnect', networkId, network)
    }
  }
}

function lastLife(container: Container, end: TaskEnd): Ended {
  const finishedAt = end.at.toISOString()
  return {
    exitCode: end.code,
    oomKilled: end.oomKilled,
    error: end.error,
    startedAt: runOf(container.state)?.startedAt ?? finishedAt,
    finishedAt,
  }
}

const CANNOT_START = 128

function startExitCode(error: unknown): number {
  const known = error instanceof EngineError ? error.details['exitCode'] : undefined
  return typeof known === 'number' ? known : CANNOT_START
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
