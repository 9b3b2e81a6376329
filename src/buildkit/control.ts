import type { Clock } from '#base/clock.ts'
import { EngineError } from '#base/errors.ts'
import type { BuildResult, BuildService } from '#engine/builds/service.ts'
import { type Call, type Methods, streaming, unary } from './grpc/server.ts'
import { Job } from './job.ts'
import {
  BuildHistoryEvent,
  BuildHistoryRequest,
  InfoRequest,
  InfoResponse,
  ListWorkersRequest,
  ListWorkersResponse,
  SolveRequest,
  SolveResponse,
  StatusRequest,
  StatusResponse,
} from './messages/control.ts'
import type { Rendezvous } from './rendezvous.ts'
import type { RunningBuildDeps } from './running-build.ts'
import { sendArtifacts } from './send-artifacts.ts'
import { noSuchJob } from './errors.ts'
import type { UnreadStatuses } from './unread-statuses.ts'
import type { Worker } from './worker.ts'

export interface ControlDeps extends RunningBuildDeps {
  readonly builds: BuildService
  readonly jobs: Rendezvous<Job>
  readonly unread: UnreadStatuses
  readonly worker: Worker
  readonly clock: Clock
}

const SERVICE = '/moby.buildkit.v1.Control'

/** `moby.buildkit.v1.Control`, besides what is about the cache. */
export function controlMethods(deps: ControlDeps): Methods {
  return {
    [`${SERVICE}/Solve`]: unary(SolveRequest, SolveResponse, async (request, call) => ({
      exporterResponse: await solve(request, call, deps),
    })),
    [`${SERVICE}/Status`]: streaming(
      StatusRequest,
      StatusResponse,
      async function* status({ ref }, { signal }) {
        const told = deps.unread.take(ref) ?? (await deps.jobs.find(ref))?.status
        if (told === undefined) throw noSuchJob(ref)
        yield* told.read(signal)
      },
    ),
    [`${SERVICE}/ListWorkers`]: unary(ListWorkersRequest, ListWorkersResponse, async () => ({
      records: [await deps.worker.record()],
    })),
    [`${SERVICE}/Info`]: unary(InfoRequest, InfoResponse, () => ({ buildkitVersion: deps.worker.version })),
    [`${SERVICE}/ListenBuildHistory`]: streaming(BuildHistoryRequest, BuildHistoryEvent, noHistory),
  }
}

async function solve(
  request: SolveRequest,
  { signal: outer }: Call,
  deps: ControlDeps,
): Promise<ReadonlyMap<string, string>> {
  // Also aborted when the client returns something else than what was built: that is not wanted, then.
  const over = new AbortController()
  const signal = AbortSignal.any([outer, over.signal])
  const job = new Job(request, deps, signal)
  using registered = deps.jobs.add(request.ref, job)
  if (registered === undefined) {
    throw new EngineError('conflict', `a build with the id ${request.ref} is running already`, {
      code: 'BUILD_ID_TAKEN',
    })
  }
  try {
    if (request.frontend !== '' || (request.definition?.operations.length ?? 0) > 0) {
      const options = { frontendOptions: request.frontendAttributes, cacheImports: [] }
      job.return(await job.solve({ frontend: request.frontend, ...options }), undefined)
    }
    const result = await job.written()
    if (result === undefined) return new Map()
    await sendArtifacts(result, job, { ...deps, signal })
    return exporterResponse(result)
  } finally {
    over.abort(new EngineError('cancelled', 'the build is over', { code: 'BUILD_CANCELLED' }))
    await job.over()
    deps.unread.put(request.ref, job.status)
  }
}

/** Values are texts; what is structured is JSON in base64. */
function exporterResponse({ metadata }: BuildResult): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(metadata).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : Buffer.from(JSON.stringify(value)).toString('base64'),
    ]),
  )
}

/** Clients take this for a builder that keeps no records. */
function noHistory(): never {
  throw new EngineError('not_implemented', 'records of builds are not kept', { code: 'NOT_IMPLEMENTED' })
}
