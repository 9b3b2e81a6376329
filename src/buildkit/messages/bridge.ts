/** Package `moby.buildkit.v1.frontend`: a build whose course the client decides. */
import { RpcStatus } from '../grpc/status.ts'
import { bool, bytes, field, map, message, type Of, repeated, string } from '../wire/message.ts'
import { TypedAttributes, WorkerRecord } from './control.ts'
import { Definition } from './llb.ts'

const Ref = message({ id: field(1, string), definition: field(2, Definition.codec) })
const RefMap = message({ refs: map(1, Ref.codec) })

export const Result = message({
  ref: field(3, Ref.codec),
  refs: field(4, RefMap.codec),
  metadata: map(10, bytes),
})
export type Result = Partial<Of<typeof Result>>

export const BridgeSolveRequest = message({
  definition: field(1, Definition.codec),
  frontend: field(2, string),
  frontendOptions: map(3, string),
  cacheImports: repeated(12, TypedAttributes.codec),
  frontendInputs: map(13, Definition.codec),
  evaluate: field(14, bool),
})
export type BridgeSolveRequest = Of<typeof BridgeSolveRequest>

export const BridgeSolveResponse = message({ result: field(3, Result.codec) })

export const PingRequest = message({})

const Capability = message({ id: field(1, string), enabled: field(2, bool) })

export const PongResponse = message({
  frontendCapabilities: repeated(1, Capability.codec),
  graphCapabilities: repeated(2, Capability.codec),
  workers: repeated(3, WorkerRecord.codec),
})

export const ReturnRequest = message({ result: field(1, Result.codec), error: field(2, RpcStatus.codec) })
export const ReturnResponse = message({})

export const EvaluateRequest = message({ ref: field(1, string) })
export const EvaluateResponse = message({})

export const InputsRequest = message({})
export const InputsResponse = message({ definitions: map(1, Definition.codec) })
