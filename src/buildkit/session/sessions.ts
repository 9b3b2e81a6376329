import type { Clock } from '#base/clock.ts'
import { EngineError } from '#base/errors.ts'
import { Rendezvous } from '../rendezvous.ts'
import type { ClientSession } from './client-session.ts'

/** The sessions that clients have open now, by their ids. */
export class ClientSessions {
  readonly #open: Rendezvous<ClientSession>

  constructor(clock: Clock) {
    this.#open = new Rendezvous(clock)
  }

  /** Resolves when the client has closed it. `conflict` when there is one of that id. */
  async hold(session: ClientSession): Promise<void> {
    const { id } = session.facts
    using held = this.#open.add(id, session)
    if (held !== undefined) return await session.closed
    throw new EngineError('conflict', `session ${id} already exists`, { code: 'BUILD_SESSION_TAKEN' })
  }

  /** Waits a moment for one that is not there yet: a build may name its session before that has come. */
  async find(text: string): Promise<ClientSession> {
    // Clients may put something before the id.
    const id = text.slice(text.lastIndexOf(':') + 1)
    const session = await this.#open.find(id)
    if (session !== undefined) return session
    throw new EngineError('not_found', `no active session for ${id}: the client has closed it`, {
      code: 'BUILD_NO_SESSION',
      details: { session: id },
    })
  }
}
