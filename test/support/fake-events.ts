import type { EventMessage } from '#api/generated/types.ts'
import type { EventService } from '#engine/services.ts'

/** Every event so far, then those to come. */
export class FakeEvents implements EventService {
  readonly #past: EventMessage[] = []
  #wake = Promise.withResolvers<void>()

  publish(event: EventMessage): void {
    this.#past.push(event)
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }

  async *subscribe({
    since,
    until,
    signal,
  }: Parameters<EventService['subscribe']>[0]): AsyncGenerator<EventMessage> {
    const { promise: aborted, resolve } = Promise.withResolvers<void>()
    signal?.addEventListener('abort', () => resolve(), { once: true })
    let next = since === undefined ? this.#past.length : 0
    for (;;) {
      const wake = this.#wake.promise
      for (; next < this.#past.length; next += 1) {
        const event = this.#past[next]
        if (event !== undefined) yield event
      }
      if (until !== undefined || signal?.aborted === true) return
      await Promise.race([wake, aborted])
    }
  }
}
