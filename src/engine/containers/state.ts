import type { Endpoint, PublishedPort } from '#network/networks.ts'
import type { StartedContainer } from '#runtime/oci-runtime.ts'

/**
 * What a container is, and what is known about it in that state. Docker's seven names and no others. The intent record of a
 * start is the container's directory under the exec root: it is made before the first effect and found by recovery.
 */
export type ContainerState =
  | { readonly status: 'created'; readonly last?: Ended | undefined }
  | { readonly status: 'running' | 'paused'; readonly run: Run }
  | { readonly status: 'restarting'; readonly last: Ended; readonly attempt: number }
  | { readonly status: 'exited'; readonly last: Ended }
  | { readonly status: 'removing' | 'dead'; readonly last?: Ended | undefined }

export type ContainerStatus = ContainerState['status']

/** One life of the container's process. */
export interface Run {
  readonly pid: number
  /** Field 22 of /proc/PID/stat: with pid and boot it names exactly one process. */
  readonly startTime: string
  /** Boot of the machine; pid and start time mean nothing in another one. */
  readonly bootId: string
  readonly shimPid: number
  /** What the OCI runtime was executed as. */
  readonly runtime?: string | undefined
  readonly startedAt: string
  /** When the life before this one ended, if there was one. */
  readonly previousEnd?: string | undefined
  /** The kernel killed a process of the container for want of memory. */
  readonly oomKilled?: boolean | undefined
  /** One per network, in the order of their interfaces. */
  readonly endpoints: readonly Endpoint[]
  readonly ports: readonly PublishedPort[]
}

/** How the last life ended. */
export interface Ended {
  readonly exitCode: number
  readonly oomKilled: boolean
  /** Why it could not be started, or why its end is not known exactly; empty for an ordinary end. */
  readonly error: string
  readonly startedAt: string
  readonly finishedAt: string
}

const next: Readonly<Record<ContainerStatus, readonly ContainerStatus[]>> = {
  created: ['running', 'exited', 'removing'],
  // Straight to removing: after a crash in the middle of a removal.
  running: ['paused', 'restarting', 'exited', 'removing'],
  paused: ['running', 'restarting', 'exited', 'removing'],
  restarting: ['running', 'restarting', 'exited', 'removing'],
  exited: ['running', 'restarting', 'exited', 'removing'],
  removing: ['dead'],
  dead: ['removing'],
}

export function isContainerStatus(text: unknown): text is ContainerStatus {
  return typeof text === 'string' && Object.hasOwn(next, text)
}

export function canBecome(from: ContainerStatus, to: ContainerStatus): boolean {
  return next[from].includes(to)
}

/** Docker's time for something that never happened. */
export const NEVER = '0001-01-01T00:00:00Z'

/** The run of a container that has a process, else undefined. */
export function runOf(state: ContainerState): Run | undefined {
  return state.status === 'running' || state.status === 'paused' ? state.run : undefined
}

/** For commands of the OCI runtime, which go to the one that has started the container. */
export function startedOf({
  id,
  state,
}: {
  readonly id: string
  readonly state: ContainerState
}): StartedContainer {
  return { id, runtime: runOf(state)?.runtime }
}

/** The end of the last life, if there was one. */
export function lastOf(state: ContainerState): Ended | undefined {
  return 'last' in state ? state.last : undefined
}
