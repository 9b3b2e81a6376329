import { type Clock, settlesWithin } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import { abortable } from '#base/mutex.ts'
import type { Container } from './container.ts'
import type { ContainerRegistry } from './registry.ts'
import { runOf } from './state.ts'

export interface StartOrderDeps {
  readonly registry: ContainerRegistry
  readonly clock: Clock
  readonly logger: Logger
}

/** Labels of Compose's containers. */
const PROJECT = 'com.docker.compose.project'
const SERVICE = 'com.docker.compose.service'
const ONE_OFF = 'com.docker.compose.oneoff'
const DEPENDS_ON = 'com.docker.compose.depends_on'

/** Milliseconds after which a container is started whatever the others do: a policy says that it is to run. */
const PATIENCE = 120_000

interface Dependency {
  readonly service: string
  readonly condition: string
}

/**
 * Keeps the order of a Compose project when the daemon starts its containers again, at boot or after it was away: each
 * waits for those that its labels name, as Compose has written them (`NAME:CONDITION:RESTART`, with commas between). What
 * is not going to run is not waited for, nor is who waits in turn for the one that asks.
 */
export class StartOrder {
  readonly #deps: StartOrderDeps

  constructor(deps: StartOrderDeps) {
    this.#deps = deps
  }

  /** Resolves when it is the turn of `id`. */
  async turn(id: string, signal: AbortSignal): Promise<void> {
    const { registry, clock, logger } = this.#deps
    if (this.#awaited(id).length === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    using _watching = registry.watch(() => {
      if (this.#awaited(id).length === 0) resolve()
    })
    const turn = abortable(promise, signal)
    if (await settlesWithin(clock, PATIENCE, turn)) return await turn
    logger.warn('a container is started before others that it depends on', {
      container: id,
      waitedFor: this.#awaited(id).map(({ name }) => name),
    })
  }

  #awaited(id: string): Container[] {
    const container = this.#deps.registry.get(id)
    if (container === undefined) return []
    return this.#needed(container)
      .filter(({ other, condition }) => isAwaited(other, condition) && !this.#leadsTo(other, id))
      .map(({ other }) => other)
  }

  #needed(container: Container): { readonly other: Container; readonly condition: string }[] {
    const project = container.config.Labels?.[PROJECT]
    if (project === undefined) return []
    const dependencies = dependenciesOf(container)
    if (dependencies.length === 0) return []
    const members = this.#deps.registry.all().filter(({ config: { Labels } }) => {
      return Labels?.[PROJECT] === project && Labels[ONE_OFF] !== 'True'
    })
    return dependencies.flatMap(({ service, condition }) =>
      members
        .filter(({ config }) => config.Labels?.[SERVICE] === service)
        .map((other) => ({ other, condition })),
    )
  }

  /** Compose knows no circles; labels that others write may have them. */
  #leadsTo(from: Container, id: string, seen = new Set<string>()): boolean {
    if (from.id === id) return true
    if (seen.has(from.id)) return false
    seen.add(from.id)
    return this.#needed(from).some(({ other }) => this.#leadsTo(other, id, seen))
  }
}

/** Whether it is still to become what was asked of it. */
function isAwaited({ state, health }: Container, condition: string): boolean {
  if (state.status === 'restarting') return true
  if (runOf(state) === undefined) return false
  if (condition === 'service_completed_successfully') return true
  return condition === 'service_healthy' && health !== undefined && health !== 'healthy'
}

function dependenciesOf({ config }: Container): Dependency[] {
  return (config.Labels?.[DEPENDS_ON] ?? '').split(',').flatMap((text) => {
    const [service = '', condition = 'service_started'] = text.split(':')
    return service === '' ? [] : [{ service, condition }]
  })
}
