import { EngineError } from '#base/errors.ts'
import { frontendCapabilities, graphCapabilities } from './capabilities.ts'
import { type Call, type Methods, unary } from './grpc/server.ts'
import { noSuchJob } from './errors.ts'
import type { Job } from './job.ts'
import {
  BridgeSolveRequest,
  BridgeSolveResponse,
  EvaluateRequest,
  EvaluateResponse,
  InputsRequest,
  InputsResponse,
  PingRequest,
  PongResponse,
  ReturnRequest,
  ReturnResponse,
} from './messages/bridge.ts'
import type { Rendezvous } from './rendezvous.ts'
import type { Worker } from './worker.ts'

export interface BridgeDeps {
  readonly jobs: Rendezvous<Job>
  readonly worker: Worker
}

const SERVICE = '/moby.buildkit.v1.frontend.LLBBridge'
/** Which build a call is about. */
const BUILD = 'buildkit-controlapi-buildid'

/** `moby.buildkit.v1.frontend.LLBBridge`: the client runs its build itself, and asks us for each part of it. */
export function bridgeMethods({ jobs, worker }: BridgeDeps): Methods {
  const jobOf = async ({ metadata }: Call): Promise<Job> => {
    const ref = metadata.get(BUILD)?.[0]
    if (ref === undefined) {
      throw new EngineError('invalid_argument', `the call does not say its build (${BUILD})`, {
        code: 'BUILD_REQUEST_INVALID',
      })
    }
    const job = await jobs.find(ref)
    if (job === undefined) throw noSuchJob(ref)
    return job
  }
  return {
    [`${SERVICE}/Ping`]: unary(PingRequest, PongResponse, async (_, call) => {
      await jobOf(call)
      return { frontendCapabilities, graphCapabilities, workers: [await worker.record()] }
    }),
    [`${SERVICE}/Solve`]: unary(BridgeSolveRequest, BridgeSolveResponse, async (request, call) => {
      const job = await jobOf(call)
      const { ref, refs, metadata = new Map() } = await job.solve(request)
      return { result: { ref, refs, metadata } }
    }),
    [`${SERVICE}/Return`]: unary(ReturnRequest, ReturnResponse, async ({ result, error }, call) => {
      const job = await jobOf(call)
      job.return(result ?? {}, error)
      return {}
    }),
    // Nothing is put off: what was solved has been done.
    [`${SERVICE}/Evaluate`]: unary(EvaluateRequest, EvaluateResponse, () => ({})),
    [`${SERVICE}/Inputs`]: unary(InputsRequest, InputsResponse, async (_, call) => {
      const { request } = await jobOf(call)
      return { definitions: request.frontendInputs }
    }),
  }
}
