/** Which requests are written down, and how they went. */
import type { Socket } from 'node:net'
import type { Answered, ArrivedRequest } from '#engine/requests/request-journal.ts'
import type { Params } from './path-pattern.ts'
import type { Reply } from './reply.ts'
import type { Method, Route } from './route.ts'

/** The journal, and how to tell who is at the other end of a connection; the latter never rejects. */
export interface Recorder {
  arrived(request: ArrivedRequest): Answered
  callerOf(socket: Socket): ArrivedRequest['caller']
}

const SAFE: readonly Method[] = ['GET', 'HEAD', 'OPTIONS']
/** They change nothing that anybody would ask about later. */
const unremarkable: ReadonlySet<string> = new Set([
  'ContainerWait',
  'ContainerResize',
  'ExecResize',
  'SystemAuth',
  'BerthBuildContext',
  'BerthBuildContextFiles',
])

/** Undefined for a request that is not written down. */
export function recordArrival(
  recorder: Recorder | undefined,
  { operation, method, path: pattern }: Route,
  params: Params,
  { path, socket }: { readonly path: string; readonly socket: Socket },
): Answered | undefined {
  if (recorder === undefined || SAFE.includes(method) || unremarkable.has(operation)) return undefined
  const container = pattern.startsWith('/containers/') ? params['id'] : undefined
  return recorder.arrived({ operation, path, container, caller: recorder.callerOf(socket) })
}

export function outcomeOf(reply: Reply): Parameters<Answered>[0] {
  switch (reply.kind) {
    case 'empty':
    case 'text':
      return { status: reply.status }
    case 'json':
      return { status: reply.status, object: madeBy(reply) }
    default:
      return { status: 200 }
  }
}

/** A container that was created. */
function madeBy({ status, body }: Extract<Reply, { kind: 'json' }>): string | undefined {
  if (status !== 201 || typeof body !== 'object' || body === null) return undefined
  return 'Id' in body && typeof body.Id === 'string' ? body.Id : undefined
}
