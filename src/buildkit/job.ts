import { newId } from '#base/ids.ts'
import type { BuildResult } from '#engine/builds/service.ts'
import { errorOf, type RpcStatus } from './grpc/status.ts'
import type { BridgeSolveRequest, Result } from './messages/bridge.ts'
import type { SolveRequest } from './messages/control.ts'
import { checkFrontend, RunningBuild, type RunningBuildDeps } from './running-build.ts'
import { StatusStream } from './status-stream.ts'

/**
 * A build as its client sees it: begun by `Control.Solve`, which lasts as long as it does. What is to be done comes with that,
 * or by calls of the bridge meanwhile, the last of which says what the result is.
 */
export class Job {
  readonly request: SolveRequest
  readonly status = new StatusStream()
  readonly #deps: RunningBuildDeps
  readonly #signal: AbortSignal
  readonly #builds = new Map<string, RunningBuild>()
  readonly #returned = Promise.withResolvers<Result>()

  constructor(request: SolveRequest, deps: RunningBuildDeps, signal: AbortSignal) {
    this.request = request
    this.#deps = deps
    this.#signal = signal
    this.#returned.promise.catch(() => undefined)
    signal.addEventListener('abort', () => this.#returned.reject(signal.reason as Error), { once: true })
  }

  /** Resolves when everything is done but the result, which waits until it is returned. */
  async solve(
    solve: Pick<BridgeSolveRequest, 'frontend' | 'frontendOptions' | 'cacheImports'>,
  ): Promise<Result> {
    checkFrontend(solve.frontend)
    const id = newId().slice(0, 25)
    const build = new RunningBuild(
      { id, request: this.request, solve },
      this.#deps,
      this.status,
      this.#signal,
    )
    this.#builds.set(id, build)
    return build.solved
  }

  /** What the client wants to have, or why it wants nothing. */
  return(result: Result, error: RpcStatus | undefined): void {
    if (error === undefined) this.#returned.resolve(result)
    else this.#returned.reject(errorOf(error))
  }

  /** Waits for what is returned, and writes it. Undefined: nothing was built. */
  async written(): Promise<BuildResult | undefined> {
    const { ref, refs } = await this.#returned.promise
    const [first] = ref === undefined ? (refs?.refs.values() ?? []) : [ref]
    const build = first === undefined ? undefined : this.#builds.get(first.id)
    build?.write()
    return build?.outcome
  }

  /** Resolves when nothing of its builds is left; they have to be aborted, or written. */
  async over(): Promise<void> {
    await Promise.allSettled([...this.#builds.values()].map(({ outcome }) => outcome))
    this.status.end()
  }
}
