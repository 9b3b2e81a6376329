/** Package `moby.buildkit.v1`: what a client asks of the daemon. */
import { Timestamp } from '../wire/timestamp.ts'
import { bool, bytes, field, int32, int64, map, message, type Of, repeated, string } from '../wire/message.ts'
import { Definition, Platform, Range, SourceInfo } from './llb.ts'
import { RpcStatus } from '../grpc/status.ts'

/** A type and its attributes: of an exporter, or of a cache. */
export const TypedAttributes = message({ type: field(1, string), attributes: map(2, string) })
export type TypedAttributes = Of<typeof TypedAttributes>

const CacheOptions = message({
  exports: repeated(4, TypedAttributes.codec),
  imports: repeated(5, TypedAttributes.codec),
})

export const SolveRequest = message({
  ref: field(1, string),
  definition: field(2, Definition.codec),
  exporterDeprecated: field(3, string),
  exporterAttributesDeprecated: map(4, string),
  session: field(5, string),
  frontend: field(6, string),
  frontendAttributes: map(7, string),
  cache: field(8, CacheOptions.codec),
  entitlements: repeated(9, string),
  frontendInputs: map(10, Definition.codec),
  internal: field(11, bool),
  exporters: repeated(13, TypedAttributes.codec),
})
export type SolveRequest = Of<typeof SolveRequest>

export const SolveResponse = message({ exporterResponse: map(1, string) })

export const StatusRequest = message({ ref: field(1, string) })

const Vertex = message({
  digest: field(1, string),
  inputs: repeated(2, string),
  name: field(3, string),
  cached: field(4, bool),
  started: field(5, Timestamp.codec),
  completed: field(6, Timestamp.codec),
  error: field(7, string),
})

const VertexStatus = message({
  id: field(1, string),
  vertex: field(2, string),
  name: field(3, string),
  current: field(4, int64),
  total: field(5, int64),
  timestamp: field(6, Timestamp.codec),
  started: field(7, Timestamp.codec),
  completed: field(8, Timestamp.codec),
})

const VertexLog = message({
  vertex: field(1, string),
  timestamp: field(2, Timestamp.codec),
  stream: field(3, int64),
  data: field(4, bytes),
})

const VertexWarning = message({
  vertex: field(1, string),
  level: field(2, int64),
  short: field(3, bytes),
  detail: repeated(4, bytes),
  url: field(5, string),
  info: field(6, SourceInfo.codec),
  ranges: repeated(7, Range.codec),
})

export const StatusResponse = message({
  vertexes: repeated(1, Vertex.codec),
  statuses: repeated(2, VertexStatus.codec),
  logs: repeated(3, VertexLog.codec),
  warnings: repeated(4, VertexWarning.codec),
})
export type StatusResponse = Partial<Of<typeof StatusResponse>>

const BuildkitVersion = message({
  package: field(1, string),
  version: field(2, string),
  revision: field(3, string),
})

const GcPolicy = message({
  all: field(1, bool),
  keepDuration: field(2, int64),
  reservedSpace: field(3, int64),
  filters: repeated(4, string),
  maxUsedSpace: field(5, int64),
  minFreeSpace: field(6, int64),
})

export const WorkerRecord = message({
  id: field(1, string),
  labels: map(2, string),
  platforms: repeated(3, Platform.codec),
  gcPolicy: repeated(4, GcPolicy.codec),
  buildkitVersion: field(5, BuildkitVersion.codec),
})
export type WorkerRecord = Of<typeof WorkerRecord>

export const ListWorkersRequest = message({ filter: repeated(1, string) })
export const ListWorkersResponse = message({ records: repeated(1, WorkerRecord.codec) })

export const InfoRequest = message({})
export const InfoResponse = message({ buildkitVersion: field(1, BuildkitVersion.codec) })

export const UsageRecord = message({
  id: field(1, string),
  mutable: field(2, bool),
  inUse: field(3, bool),
  size: field(4, int64),
  createdAt: field(6, Timestamp.codec),
  lastUsedAt: field(7, Timestamp.codec),
  usageCount: field(8, int64),
  description: field(9, string),
  recordType: field(10, string),
  shared: field(11, bool),
  parents: repeated(12, string),
})

export const DiskUsageRequest = message({ filter: repeated(1, string) })
export const DiskUsageResponse = message({ records: repeated(1, UsageRecord.codec) })

export const PruneRequest = message({
  filter: repeated(1, string),
  all: field(2, bool),
  /** Nanoseconds. */
  keepDuration: field(3, int64),
  reservedSpace: field(4, int64),
  maxUsedSpace: field(5, int64),
  minFreeSpace: field(6, int64),
})
export type PruneRequest = Of<typeof PruneRequest>

/** Of `Session`: a connection within a call. */
export const BytesMessage = message({ data: field(1, bytes) })

export const BuildHistoryRequest = message({
  activeOnly: field(1, bool),
  ref: field(2, string),
  earlyExit: field(3, bool),
  filter: repeated(4, string),
  limit: field(5, int32),
})

const BuildHistoryRecord = message({
  ref: field(1, string),
  frontend: field(2, string),
  frontendAttributes: map(3, string),
  exporters: repeated(4, TypedAttributes.codec),
  error: field(5, RpcStatus.codec),
  createdAt: field(6, Timestamp.codec),
  completedAt: field(7, Timestamp.codec),
  exporterResponse: map(9, string),
  cachedSteps: field(15, int32),
  totalSteps: field(16, int32),
  completedSteps: field(17, int32),
  warnings: field(19, int32),
})

export const BuildHistoryEvent = message({
  /** 0 started, 1 complete, 2 deleted. */
  type: field(1, int32),
  record: field(2, BuildHistoryRecord.codec),
})
