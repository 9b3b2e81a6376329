import type { NetworkingConfig } from '#api/generated/types.ts'
import { type Digest, isDigest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import type { Endpoint } from '#network/networks.ts'
import type { ContainerRow } from '#store/containers.ts'
import type { Attachment, Container } from './container.ts'
import { NEVER, isContainerStatus } from './state.ts'

/** What lies in a row beside its columns. */
type Document = Omit<Container, 'id' | 'name' | 'createdAt' | 'imageId' | 'state'>

export function encodeContainer(container: Container): ContainerRow {
  const { id, name, imageId, createdAt, state, ...document } = container
  return {
    id,
    name,
    imageId: imageId ?? null,
    createdAt,
    state: JSON.stringify(state),
    document: JSON.stringify(document satisfies Document),
  }
}

/** Throws for a row that is damaged, or was written by another version that thinks otherwise. */
export function decodeContainer(row: ContainerRow): Container {
  const document = JSON.parse(row.document) as Document
  const state = JSON.parse(row.state) as Container['state']
  check('config', isObject(document.config) && isObject(document.hostConfig))
  check('mounts', Array.isArray(document.mounts))
  check('layers', Array.isArray(document.layers) && document.layers.every(isDigest))
  check('command', typeof document.path === 'string' && Array.isArray(document.args))
  check('state', isContainerStatus(state.status))
  if (state.status === 'running' || state.status === 'paused') check('run', isObject(state.run))
  if (state.status === 'exited' || state.status === 'restarting') check('end', isObject(state.last))
  return { ...document, attachments: attachmentsOf(document), ...columnsOf(row), state: withEndpoints(state) }
}

/** Before there were networks of one's own, a container had at most the default bridge. */
function attachmentsOf(
  document: Document & { readonly networking?: NetworkingConfig },
): readonly Attachment[] {
  const { attachments, networking, hostConfig } = document as Partial<typeof document>
  if (attachments !== undefined) return attachments
  if (hostConfig?.NetworkMode !== 'bridge') return []
  const { bridge, default: unnamed } = networking?.EndpointsConfig ?? {}
  return [{ network: 'bridge', settings: bridge ?? unnamed ?? {} }]
}

function withEndpoints(state: Container['state']): Container['state'] {
  if (state.status !== 'running' && state.status !== 'paused') return state
  const { endpoint, ...run } = state.run as typeof state.run & { readonly endpoint?: Endpoint }
  const former = endpoint === undefined ? [] : [{ ...endpoint, network: 'bridge', ifname: 'eth0' }]
  // Rows of a former version have none.
  const { endpoints = former } = run as Partial<typeof run>
  return { ...state, run: { ...run, endpoints } }
}

/** Stands for a container whose row cannot be read: it has a name and files, and can be removed. */
export function unreadable(row: ContainerRow, reason: string): Container {
  const error = `the record of the container cannot be read: ${reason}`
  return {
    ...columnsOf(row),
    image: '',
    layers: [],
    platform: 'linux',
    path: '',
    args: [],
    config: {},
    hostConfig: {},
    attachments: [],
    mounts: [],
    restartCount: 0,
    stoppedByHand: true,
    state: {
      status: 'dead',
      last: { exitCode: 0, oomKilled: false, error, startedAt: NEVER, finishedAt: NEVER },
    },
  }
}

function columnsOf({ id, name, createdAt, imageId }: ContainerRow) {
  return { id, name, createdAt, imageId: imageId === null ? undefined : (imageId as Digest) }
}

function check(what: string, holds: boolean): void {
  if (holds) return
  throw new EngineError('data_loss', `its ${what} is not what it should be`, { code: 'CONTAINER_DAMAGED' })
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
