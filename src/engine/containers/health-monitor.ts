import type { Health } from '#api/generated/types.ts'
import type { Background } from '#base/background.ts'
import type { Clock } from '#base/clock.ts'
import { abortable } from '#base/mutex.ts'
import type { Execs } from '../exec/execs.ts'
import {
  type HealthEvent,
  type HealthState,
  type Probe,
  type ProbeResult,
  healthDocument,
  initialHealth,
  nextProbeDelay,
  probeOf,
  probeResult,
  probeTimeout,
  reduceHealth,
} from './config/health.ts'
import type { Container } from './container.ts'
import type { ContainerEvents } from './events.ts'
import type { ContainerRegistry } from './registry.ts'
import { runOf } from './state.ts'

export interface HealthMonitorDeps {
  readonly registry: ContainerRegistry
  readonly events: ContainerEvents
  readonly background: Background
  readonly clock: Clock
  readonly execs: () => Execs
}

const SIGKILL = 9
const MAX_OUTPUT = 8192

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
    const { clock } = this.#deps
    try {
      for (;;) {
        const state = this.#states.get(container.id) ?? initialHealth
        await clock.sleep(nextProbeDelay(state, probe, clock.now().getTime() - begin), { signal })
        const current = this.#deps.registry.get(container.id)
        // Paused containers are not probed: nothing in them could answer.
        if (current?.state.status !== 'running') continue
        const sinceStart = clock.now().getTime() - begin
        const result = await this.#run(current, probe, signal)
        this.#reduce(container.id, { type: 'probed', result, sinceStart }, probe)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async #run(container: Container, probe: Probe, signal: AbortSignal): Promise<ProbeResult> {
    const { clock } = this.#deps
    const execs = this.#deps.execs()
    const start = clock.now()
    const { Id } = await execs.create(container.id, {
      Cmd: [...probe.argv],
      AttachStdout: true,
      AttachStderr: true,
      Tty: true,
    })
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(probe.timeout)])
    try {
      const output = await abortable(this.#output(execs, Id), timeout)
      return probeResult(start, clock.now(), await abortable(execs.exitCode(Id), timeout), output)
    } catch (error) {
      await execs.kill(Id, SIGKILL)
      signal.throwIfAborted()
      if (timeout.aborted) return probeTimeout(start, clock.now(), probe)
      // A probe that cannot even be started is a failed probe.
      return probeResult(
        start,
        clock.now(),
        1,
        Buffer.from(error instanceof Error ? error.message : String(error)),
      )
    }
  }

  async #output(execs: Execs, id: string): Promise<Uint8Array> {
    const attached = await execs.start(id, { detach: false, tty: true })
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of attached?.stream ?? []) {
      if (size < MAX_OUTPUT) chunks.push(chunk as Uint8Array)
      size += (chunk as Uint8Array).length
    }
    return Buffer.concat(chunks)
  }

  #reduce(id: string, event: HealthEvent, probe: Probe): void {
    const before = this.#states.get(id) ?? initialHealth
    const after = reduceHealth(before, event, probe)
    this.#set(id, after)
    const container = this.#deps.registry.get(id)
    if (container === undefined || runOf(container.state) === undefined) return
    if (before.status !== after.status && event.type === 'probed') {
      this.#deps.events.publish(container, `health_status: ${after.status}`)
    }
  }

  /** Results are kept in memory, the status with the container. */
  #set(id: string, state: HealthState): void {
    const { registry } = this.#deps
    this.#states.set(id, state)
    const container = registry.get(id)
    if (container !== undefined && container.health !== state.status) {
      registry.update(id, { health: state.status })
    }
  }
}
