import { EngineError } from '#base/errors.ts'
import type { BuildMessage, BuildResult, BuildService } from '#engine/builds/service.ts'
import type { Logins } from '#engine/builds/logins.ts'
import { plainOptions } from './build-options.ts'
import { callMetadata } from './call-metadata.ts'
import { type DockerfileSource, withSource } from './dockerfile-source.ts'
import { loadInputs } from './inputs.ts'
import type { BridgeSolveRequest, Result } from './messages/bridge.ts'
import type { SolveRequest } from './messages/control.ts'
import type { ClientSession } from './session/client-session.ts'
import type { ClientSessions } from './session/sessions.ts'
import { statusOf } from './status.ts'
import type { StatusStream } from './status-stream.ts'

export interface RunningBuildDeps {
  readonly builds: BuildService
  readonly sessions: ClientSessions
  readonly now: () => string
}

export interface Asked {
  /** Of the build, to cancel it by. */
  readonly id: string
  /** Who asks, where the result goes. */
  readonly request: SolveRequest
  /** What is to be solved. */
  readonly solve: Pick<BridgeSolveRequest, 'frontendOptions' | 'cacheImports'>
}

/** A build of the engine on behalf of a client: it stops when all steps are done, and goes on when its result is wanted. */
export class RunningBuild {
  /** What the client gets of it before it is written: a reference, or the answer to a question about the Dockerfile. */
  readonly solved: Promise<Result>
  /** Settles when nothing of it is left. Undefined: there was nothing to write. */
  readonly outcome: Promise<BuildResult | undefined>
  readonly #asked: Asked
  readonly #deps: RunningBuildDeps
  readonly #status: StatusStream
  readonly #wanted = Promise.withResolvers<void>()
  #source: DockerfileSource | undefined

  constructor(asked: Asked, deps: RunningBuildDeps, status: StatusStream, signal: AbortSignal) {
    this.#asked = asked
    this.#deps = deps
    this.#status = status
    const solved = Promise.withResolvers<Result>()
    this.solved = solved.promise
    this.outcome = this.#run(solved.resolve, signal)
    // Whoever waits for one of them is told; neither goes unheard of when nobody does.
    this.#wanted.promise.catch(() => undefined)
    this.outcome.catch(solved.reject)
    this.solved.catch(() => undefined)
    signal.addEventListener('abort', () => this.#wanted.reject(signal.reason as Error), { once: true })
  }

  /** The result is to be written. */
  write(): void {
    this.#wanted.resolve()
  }

  async #run(solved: (result: Result) => void, signal: AbortSignal): Promise<BuildResult | undefined> {
    try {
      return await this.#build(solved, signal)
    } catch (error) {
      throw withSource(error, this.#source)
    }
  }

  async #build(solved: (result: Result) => void, signal: AbortSignal): Promise<BuildResult | undefined> {
    const { id, request, solve } = this.#asked
    const { builds, sessions, now } = this.#deps
    const options = plainOptions(solve.frontendOptions, request, cachesOf(this.#asked))
    const client = await sessions.find(request.session)
    await using held = new AsyncDisposableStack()
    const session = builds.sessions.begin({
      secret: (name) => client.secret(name, signal),
      agent: (name) => client.agent(name, signal),
    }).id
    held.defer(() => builds.sessions.drop(session))
    const filesNeeded = options.call === 'build'
    const report = (message: BuildMessage): void => this.#tell(message)
    const onDockerfile = (source: DockerfileSource): void => void (this.#source = source)
    const inputDeps = { builds, sessions, engineSession: session, client, report, onDockerfile, now, signal }
    const inputs = await loadInputs(solve.frontendOptions, { filesNeeded }, inputDeps)
    const messages = builds.build({
      ...options,
      ...inputs,
      id,
      session,
      auth: loginsOf(client, signal),
      solved: () => {
        solved({ ref: { id, definition: undefined } })
        return this.#wanted.promise
      },
      signal,
    })
    return await this.#follow(messages, solved)
  }

  async #follow(
    messages: AsyncIterable<BuildMessage>,
    solved: (result: Result) => void,
  ): Promise<BuildResult | undefined> {
    let result: BuildResult | undefined
    for await (const message of messages) {
      if (message.type === 'result') result = message
      else if (message.type === 'call') solved({ metadata: callMetadata(message, this.#source) })
      else {
        this.#tell(message)
        await this.#status.room()
      }
    }
    return result
  }

  #tell(message: BuildMessage): void {
    const status = statusOf(message, { now: this.#deps.now(), source: this.#source })
    if (status !== undefined) this.#status.put(status)
  }
}

function cachesOf({ request, solve }: Asked): Parameters<typeof plainOptions>[2] {
  const { imports = [], exports = [] } = request.cache ?? {}
  return { imports: solve.cacheImports.length > 0 ? solve.cacheImports : imports, exports }
}

function loginsOf(client: ClientSession, signal: AbortSignal): Logins {
  return (host) => client.credentials(host, signal)
}

/** Frontends that we are. */
export function checkFrontend(frontend: string): void {
  if (frontend === 'dockerfile.v0') return
  const which = frontend === '' ? 'a graph of operations' : `the frontend ${frontend}`
  throw new EngineError(
    'not_implemented',
    `${which} cannot be solved: this builder knows Dockerfiles alone (frontend dockerfile.v0)`,
    { code: 'BUILD_FRONTEND_UNKNOWN', details: { frontend } },
  )
}
