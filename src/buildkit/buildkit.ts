/**
 * BuildKit's protocol, which Docker's buildx, `docker build` and `docker compose build` speak: a front to the engine's builds, as
 * the routes of the HTTP API are. Two connections belong to a build: one on which the client calls us (`/grpc`), and one on
 * which we call the client, for its files and secrets (`/session`).
 */
import type { Duplex } from 'node:stream'
import { type Clock, systemClock } from '#base/clock.ts'
import { engineErrorOf, isKind } from '#base/errors.ts'
import type { Logger } from '#base/logger.ts'
import type { Engine } from '#engine/services.ts'
import { bridgeMethods } from './bridge.ts'
import { cacheMethods } from './cache-methods.ts'
import { controlMethods } from './control.ts'
import { type Methods, serveGrpc, unary } from './grpc/server.ts'
import type { Job } from './job.ts'
import { HealthRequest, HealthResponse } from './messages/session.ts'
import { Rendezvous } from './rendezvous.ts'
import { ClientSession, type SessionFacts } from './session/client-session.ts'
import { ClientSessions } from './session/sessions.ts'
import { sessionMethod } from './session-method.ts'
import { UnreadStatuses } from './unread-statuses.ts'
import { Worker } from './worker.ts'

export interface BuildKitDeps {
  readonly engine: Pick<Engine, 'builds' | 'networks'>
  /** Of the engine. */
  readonly version: string
  readonly logger: Logger
  readonly clock?: Clock
}

export class BuildKit {
  readonly #sessions: ClientSessions
  readonly #methods: Methods
  readonly #logger: Logger

  constructor({ engine, version, logger, clock = systemClock }: BuildKitDeps) {
    const { builds, networks } = engine
    this.#logger = logger
    this.#sessions = new ClientSessions(clock)
    const jobs = new Rendezvous<Job>(clock)
    const unread = new UnreadStatuses()
    const worker = new Worker({ version, hostGateway: () => gatewayOf(networks) })
    const now = (): string => clock.now().toISOString()
    this.#methods = {
      ...controlMethods({ builds, sessions: this.#sessions, jobs, unread, worker, now, clock }),
      ...bridgeMethods({ jobs, worker }),
      ...cacheMethods(builds),
      ...sessionMethod((facts, connection, signal) => this.hold(facts, connection, signal)),
      '/grpc.health.v1.Health/Check': unary(HealthRequest, HealthResponse, () => ({ status: 1 })),
    }
  }

  /** Serves a client's calls until it hangs up. Never rejects. */
  async serve(connection: Duplex, signal: AbortSignal): Promise<void> {
    await serveGrpc(connection, this.#methods, {
      signal,
      onFailure: (path, error) => {
        // What the client did wrong is for the client.
        const level = isInternal(error) ? 'error' : 'debug'
        this.#logger[level]('call failed', { path, error })
      },
    })
  }

  /** Keeps a client's session until that closes it. */
  async hold(facts: SessionFacts, connection: Duplex, signal: AbortSignal): Promise<void> {
    using session = new ClientSession(facts, connection)
    const onAbort = (): void => session[Symbol.dispose]()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await this.#sessions.hold(session)
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}

function isInternal(error: unknown): boolean {
  const known = engineErrorOf(error)
  // What the client has told us of a failure is known to it.
  if (known?.code === 'GRPC_STATUS' && known.cause === undefined) return false
  const kind = known?.kind ?? 'internal'
  return kind === 'internal' || kind === 'data_loss'
}

async function gatewayOf(networks: Engine['networks']): Promise<string | undefined> {
  try {
    const { IPAM } = await networks.inspect('bridge')
    return IPAM?.Config?.[0]?.Gateway ?? undefined
  } catch (error) {
    if (isKind(error, 'not_found')) return undefined
    throw error
  }
}
