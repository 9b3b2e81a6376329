import type { Health } from '#api/generated/types.ts'
import type { Background } from '#base/background.ts'
import type { Clock } from '#base/clock.ts'
import {
  type HealthEvent,
  type HealthState,
  type Probe,
  healthDocument,
  initialHealth,
  nextProbeDelay,
  probeOf,
  reduceHealth,
} from './config/health.ts'
import type { Container } from './container.ts'
import type { ContainerEvents } from './events.ts'
import { type PortProbes, type ProbeExecs, runProbe } from './health-probe.ts'
import type { ContainerRegistry } from './registry.ts'
import { runOf } from './state.ts'

export interface HealthMonitorDeps {
  readonly registry: ContainerRegistry
  readonly events: ContainerEvents
  readonly background: Background
  readonly clock: Clock
  readonly execs: () => ProbeExecs
  readonly ports: PortProbes
  /** It has turned unhealthy. Must not reject. */
  readonly onFailure: (container: Container) => void
}

/** Probes containers that have a health check, one exec after the other, for as long as they run. */
export class HealthMonitor {
  readonly #deps: HealthMonitorDeps
  readonly #states = new Map<string, HealthState>()
  readonly #probing = new Map<string, AbortController>()

  constructor(deps: HealthMonitorDeps) {
    this.#deps = deps
  }

  started(container: Container): void {
    const probe = probeOf(container.config)
    if (probe === undefined) return
    this.ended(container.id)
    const stop = new AbortController()
    this.#probing.set(container.id, stop)
    this.#reduce(container.id, { type: 'started' }, probe)
    const begin = this.#deps.clock.now().getTime()
    this.#deps.background.run('probing a container', () => this.#probe(container, probe, begin, stop.signal))
  }

  /** A container that was found running when the daemon started is probed on, from the status it had. */
  adopted(id: string): void {
    const container = this.#deps.registry.get(id)
    const run = container === undefined ? undefined : runOf(container.state)
    const probe = container === undefined ? undefined : probeOf(container.config)
    if (container === undefined || run === undefined || probe === undefined) return
    const stop = new AbortController()
    this.#probing.set(id, stop)
    this.#states.set(id, { ...initialHealth, status: container.health ?? 'starting' })
    const begin = Date.parse(run.startedAt)
    this.#deps.background.run('probing a container', () => this.#probe(container, probe, begin, stop.signal))
  }

  ended(id: string): void {
    this.#probing.get(id)?.abort()
    if (!this.#probing.delete(id)) return
    const state = this.#states.get(id)
    if (state !== undefined) this.#set(id, { ...state, status: 'unhealthy' })
  }

  /** `State.Health` of a container, when it has a health check and was started. */
  of(id: string): Health | undefined {
    const state = this.#states.get(id)
    if (state !== undefined) return healthDocument(state)
    const status = this.#deps.registry.get(id)?.health
    return status === undefined ? undefined : healthDocument({ ...initialHealth, status })
  }

  forget(id: string): void {
    this.ended(id)
    this.#states.delete(id)
  }

  /** The daemon ends; containers and what is known of them stay. */
  close(): void {
    for (const stop of this.#probing.values()) stop.abort()
    this.#probing.clear()
  }

  async #probe(container: Container, probe: Probe, begin: number, signal: AbortSignal): Promise<void> {
    const { clock, ports } = this.#deps
    try {
      for (;;) {
        const state = this.#states.get(container.id) ?? initialHealth
        await clock.sleep(nextProbeDelay(state, probe, clock.now().getTime() - begin), { signal })
        const current = this.#deps.registry.get(container.id)
        // Paused containers are not probed: nothing in them could answer.
        if (current?.state.status !== 'running') continue
        const sinceStart = clock.now().getTime() - begin
        const result = await runProbe({ execs: this.#deps.execs(), clock, ports }, current.id, probe, signal)
        // Frozen meanwhile, it could not answer.
        const probed = this.#deps.registry.get(current.id)?.state.status === 'running'
        if (result !== undefined && probed)
          this.#reduce(current.id, { type: 'probed', result, sinceStart }, probe)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  #reduce(id: string, event: HealthEvent, probe: Probe): void {
    const before = this.#states.get(id) ?? initialHealth
    const after = reduceHealth(before, event, probe)
    this.#set(id, after)
    const container = this.#deps.registry.get(id)
    if (container === undefined || runOf(container.state) === undefined) return
    if (before.status !== after.status && event.type === 'probed') {
      this.#deps.events.publish(container, `health_status: ${after.status}`)
      if (after.status === 'unhealthy') this.#deps.onFailure(container)
    }
  }

  /** Results are kept in memory, the status with the container. */
  #set(id: string, state: HealthState): void {
    const { registry } = this.#deps
    this.#states.set(id, state)
    const container = registry.get(id)
    if (container !== undefined && container.health !== state.status) {
      registry.observe(id, { health: state.status })
    }
  }
}
