/**
 * Older forms of the API. A request is lifted to the newest form before a route sees it, and a response is
 * lowered after; the engine knows the newest form alone. Every function here is pure.
 */
import type { ApiVersion } from '#api/version.ts'
import { isBefore, newestVersion } from '#api/version.ts'
import type { Reply } from '../reply.ts'
import { liftConnect, liftCreate, liftExec, liftUpdate } from './container-requests.ts'
import { lowerContainer, lowerContainerSummaries } from './container-responses.ts'
import { lowerEvent } from './events.ts'
import { lowerImage, lowerImageSummaries } from './images.ts'
import { liftNetworkCreate, lowerNetwork, lowerNetworks } from './networks.ts'
import { lowerDiskUsage, lowerInfo } from './system.ts'

type Lift = (document: object, version: ApiVersion) => object
type Lower = (document: object, version: ApiVersion) => object
/** An item that the older version does not have becomes undefined. */
type LowerItem = (item: object, version: ApiVersion) => object | undefined

const lifts: Readonly<Record<string, Lift>> = {
  ContainerCreate: liftCreate,
  ContainerUpdate: liftUpdate,
  ContainerExec: liftExec,
  ExecStart: liftExec,
  NetworkConnect: liftConnect,
  NetworkCreate: liftNetworkCreate,
}

const lowers: Readonly<Record<string, Lower>> = {
  ContainerInspect: lowerContainer,
  ContainerList: lowerContainerSummaries,
  ImageInspect: lowerImage,
  ImageList: lowerImageSummaries,
  NetworkInspect: lowerNetwork,
  NetworkList: lowerNetworks,
  SystemDataUsage: lowerDiskUsage,
  SystemInfo: lowerInfo,
}

const lowerItems: Readonly<Record<string, LowerItem>> = { SystemEvents: lowerEvent }

interface QueryGate {
  readonly operation: string
  /** Clients older than this. */
  readonly before: ApiVersion
  /** Parameters that had no meaning yet. */
  readonly ignored?: readonly string[]
  readonly filter?: readonly [key: string, value: string]
  /** Parameters that everybody is taken to have given. */
  readonly given?: readonly string[]
}

const queryGates: readonly QueryGate[] = [
  { operation: 'ContainerCreate', before: '1.41', ignored: ['platform'] },
  { operation: 'ContainerAttachWebsocket', before: '1.42', given: ['stdin', 'stdout', 'stderr'] },
  { operation: 'ContainerStats', before: '1.41', ignored: ['one-shot'] },
  { operation: 'ContainerStop', before: '1.42', ignored: ['signal'] },
  { operation: 'ContainerRestart', before: '1.42', ignored: ['signal'] },
  { operation: 'SystemDataUsage', before: '1.42', ignored: ['type'] },
  { operation: 'SystemDataUsage', before: '1.52', ignored: ['verbose'] },
  { operation: 'VolumePrune', before: '1.42', filter: ['all', 'true'] },
  { operation: 'ImageList', before: '1.42', ignored: ['shared-size'] },
  { operation: 'ImageList', before: '1.47', ignored: ['manifests'] },
  { operation: 'ImageInspect', before: '1.48', ignored: ['manifests'] },
  { operation: 'ImageInspect', before: '1.49', ignored: ['platform'] },
  { operation: 'ImageHistory', before: '1.48', ignored: ['platform'] },
  { operation: 'ImageGet', before: '1.48', ignored: ['platform'] },
  { operation: 'ImageLoad', before: '1.48', ignored: ['platform'] },
  { operation: 'ImageDelete', before: '1.50', ignored: ['platforms'] },
]

export function liftQuery(operation: string, query: URLSearchParams, version: ApiVersion): URLSearchParams {
  const gates = queryGates.filter((gate) => gate.operation === operation && isBefore(version, gate.before))
  if (gates.length === 0) return query
  const lifted = new URLSearchParams(query)
  for (const { ignored = [], given = [], filter } of gates) {
    for (const name of ignored) lifted.delete(name)
    for (const name of given) lifted.set(name, '1')
    if (filter !== undefined) addFilter(lifted, filter)
  }
  return lifted
}

/** Leaves filters that cannot be read as they are: the route refuses them. */
function addFilter(query: URLSearchParams, [key, value]: readonly [string, string]): void {
  const text = query.get('filters') || '{}'
  if (!text.trimStart().startsWith('{') || !text.trimEnd().endsWith('}')) return
  const before = text.trim().slice(1)
  const separator = /^\s*\}$/.test(before) ? '' : ','
  query.set('filters', `{${JSON.stringify(key)}:[${JSON.stringify(value)}]${separator}${before}`)
}

export function liftDocument<T extends object>(operation: string, document: T, version: ApiVersion): T {
  const lift = lifts[operation]
  return lift === undefined || !isBefore(version, newestVersion) ? document : (lift(document, version) as T)
}

export function lowerReply(operation: string, reply: Reply, version: ApiVersion): Reply {
  if (reply.kind === 'json') {
    const lower = lowers[operation]
    if (lower === undefined || typeof reply.body !== 'object' || reply.body === null) return reply
    return { ...reply, body: lower(reply.body, version) }
  }
  // Binary messages came later.
  if (reply.kind === 'websocket') return { ...reply, text: isBefore(version, '1.28') }
  const lowerItem = reply.kind === 'records' ? lowerItems[operation] : undefined
  if (reply.kind !== 'records' || lowerItem === undefined || !isBefore(version, newestVersion)) return reply
  return { ...reply, items: lowered(reply.items as AsyncIterable<object>, lowerItem, version) }
}

async function* lowered(
  items: AsyncIterable<object>,
  lowerItem: LowerItem,
  version: ApiVersion,
): AsyncGenerator<object> {
  for await (const item of items) {
    const older = lowerItem(item, version)
    if (older !== undefined) yield older
  }
}
