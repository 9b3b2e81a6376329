import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Background } from '#base/background.ts'
import type { Clock } from '#base/clock.ts'
import { digestOf } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import { newId } from '#base/ids.ts'
import type { Secrets } from '#build/solve/ports.ts'
import type { FileSource } from '#build/sources/file-source.ts'
import { forwardSocket } from './run/agent-sockets.ts'
import type { BuildSessions, SessionClient } from './service.ts'

/** Contexts of clients on other hosts, by session and name. */
export interface ReceivedContexts {
  /** Which paths of the list are not known here by content. */
  list(session: string, name: string, stats: AsyncIterable<Uint8Array>): Promise<readonly string[]>
  /** Contents of what was wanted. */
  fill(session: string, name: string, tar: AsyncIterable<Uint8Array>): Promise<void>
  /** What was listed, once it is all there. `not_found` when nothing was. */
  open(session: string, name: string): Promise<FileSource>
  drop(session: string): Promise<void>
}

export interface SessionsDeps {
  readonly contexts: ReceivedContexts
  readonly clock: Clock
  readonly background: Background
  /** Where sockets are made that lead to agents of clients; it need not be there. */
  readonly sockets: string
}

interface Session {
  readonly client: SessionClient | undefined
  readonly held: AsyncDisposableStack
  readonly secrets: Map<string, Uint8Array>
  readonly agents: Map<string, string>
  readonly forwarded: Map<string, Promise<string | undefined>>
  /** Builds that use it now. */
  users: number
  /** Aborted when the session is dropped, or used. */
  idle: AbortController
}

/** Milliseconds that a session lives without a build. */
const PATIENCE = 600_000
/** Bytes. */
const LARGEST_SECRET = 500 << 10
/** Of all builds that are not there yet: a client that never builds must not fill the memory. */
const MOST_SESSIONS = 1000

/** What clients have given for builds to come. */
export class Sessions implements BuildSessions {
  readonly #deps: SessionsDeps
  readonly #sessions = new Map<string, Session>()

  constructor(deps: SessionsDeps) {
    this.#deps = deps
  }

  begin(client?: SessionClient): { readonly id: string } {
    if (this.#sessions.size >= MOST_SESSIONS) {
      throw new EngineError('resource_exhausted', `there are ${MOST_SESSIONS} sessions of builds already`, {
        code: 'BUILD_SESSIONS_FULL',
      })
    }
    const id = newId().slice(0, 25)
    const session = {
      client,
      held: new AsyncDisposableStack(),
      secrets: new Map(),
      agents: new Map(),
      forwarded: new Map(),
      users: 0,
      idle: new AbortController(),
    }
    this.#sessions.set(id, session)
    this.#expire(id, session)
    return { id }
  }

  putSecret(id: string, name: string, value: Uint8Array): void {
    if (value.length > LARGEST_SECRET) {
      throw new EngineError(
        'invalid_argument',
        `secret ${name} has ${value.length} bytes: at most ${LARGEST_SECRET} are taken`,
        { code: 'BUILD_SECRET_TOO_LARGE' },
      )
    }
    this.#session(id).secrets.set(name, value)
  }

  putAgent(id: string, name: string, path: string): void {
    this.#session(id).agents.set(name, path)
  }

  async putContext(
    id: string,
    name: string,
    stats: AsyncIterable<Uint8Array>,
  ): Promise<{ readonly wanted: readonly string[] }> {
    this.#session(id)
    return this.#whole(id, async () => ({ wanted: await this.#deps.contexts.list(id, name, stats) }))
  }

  async putFiles(id: string, name: string, tar: AsyncIterable<Uint8Array>): Promise<void> {
    this.#session(id)
    await this.#whole(id, () => this.#deps.contexts.fill(id, name, tar))
  }

  async drop(id: string): Promise<void> {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    this.#sessions.delete(id)
    session.idle.abort()
    // Not left for the garbage collector to find in its own time.
    for (const value of session.secrets.values()) value.fill(0)
    await session.held.disposeAsync()
    await this.#deps.contexts.drop(id)
  }

  /** For a build: what its client has given, dropped with the last build that uses it. */
  use(
    id: string,
  ): AsyncDisposable & { readonly secrets: Secrets; context(name: string): Promise<FileSource> } {
    const session = this.#session(id)
    session.users += 1
    session.idle.abort()
    return {
      secrets: {
        secret: async (name) => session.secrets.get(name) ?? session.client?.secret(name),
        agent: async (name) => session.agents.get(name) ?? this.#forwardedAgent(id, session, name),
      },
      context: (name) => this.#deps.contexts.open(id, name),
      [Symbol.asyncDispose]: async () => {
        session.users -= 1
        if (session.users === 0) await this.drop(id)
      },
    }
  }

  /** A socket that leads to an agent of the client, the same for all steps; undefined when it has none of that name. */
  async #forwardedAgent(id: string, session: Session, name: string): Promise<string | undefined> {
    const known = session.forwarded.get(name)
    if (known !== undefined) return known
    const forwarded = this.#forward(id, session, name)
    session.forwarded.set(name, forwarded)
    return forwarded
  }

  async #forward(id: string, session: Session, name: string): Promise<string | undefined> {
    const dial = await session.client?.agent(name)
    if (dial === undefined) return undefined
    const directory = join(this.#deps.sockets, id)
    const path = join(directory, digestOf(name).slice(-8))
    await mkdir(directory, { recursive: true, mode: 0o700 })
    session.held.defer(() => rm(directory, { recursive: true, force: true }))
    session.held.use(await forwardSocket(path, dial, { mode: 0o600, uid: 0, gid: 0 }))
    return path
  }

  async close(): Promise<void> {
    for (const id of this.#sessions.keys()) await this.drop(id)
  }

  /** What is not sent to its end is mostly so because the client has gone, and then nobody drops the session. */
  async #whole<T>(id: string, receive: () => Promise<T>): Promise<T> {
    try {
      return await receive()
    } catch (error) {
      await this.drop(id)
      throw error
    }
  }

  #session(id: string): Session {
    const session = this.#sessions.get(id)
    if (session !== undefined) return session
    throw new EngineError(
      'not_found',
      `no such build session: ${id}; one without a build ends after ten minutes`,
      { code: 'BUILD_NO_SESSION', details: { session: id } },
    )
  }

  #expire(id: string, { idle }: Session): void {
    const { signal } = idle
    this.#deps.background.run('dropping a session of builds', async () => {
      await this.#deps.clock.sleep(PATIENCE, { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
      if (!signal.aborted) await this.drop(id)
    })
  }
}

/** Of a build without a session. */
export const noSecrets: Secrets = {
  secret: () => Promise.resolve(undefined),
  agent: () => Promise.resolve(undefined),
}
