import { randomUUID } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import type { Logger } from '#base/logger.ts'
import type { RegistryEvent, RegistryEventListener } from './events.ts'
import type { RegistryRequest } from './http/route.ts'

export type EventFacts = Pick<
  RegistryEvent,
  'action' | 'repository' | 'digest' | 'tag' | 'mediaType' | 'size'
>

/** Tells listeners what has happened, after it was committed. A listener that fails is its own problem. */
export class EventPublisher {
  readonly #deps: {
    readonly clock: Clock
    readonly logger: Logger
    readonly listeners: readonly RegistryEventListener[]
  }

  constructor(deps: {
    readonly clock: Clock
    readonly logger: Logger
    readonly listeners: readonly RegistryEventListener[]
  }) {
    this.#deps = deps
  }

  publish(request: RegistryRequest, facts: EventFacts): void {
    const { clock, logger, listeners } = this.#deps
    if (listeners.length === 0) return
    const event: RegistryEvent = {
      id: randomUUID(),
      at: clock.now().getTime(),
      ...facts,
      actor: request.caller.name,
      remoteAddress: request.remoteAddress,
      userAgent: request.userAgent,
    }
    for (const listener of listeners) {
      try {
        listener(event)
      } catch (error) {
        logger.error('event listener failed', { event, error })
      }
    }
  }
}
