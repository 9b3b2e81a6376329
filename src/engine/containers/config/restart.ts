import type { RestartPolicy } from '#api/generated/types.ts'
import { parseSignal } from './signals.ts'

const FIRST_DELAY = 100
const LONGEST_DELAY = 60_000
/** A run that lasted this long was a success: the back-off begins anew. */
const STABLE_RUN = 10_000
const SIGKILL = 9

/** What is remembered between two ends of a container; begins anew with every start by hand. */
export interface RestartState {
  /** Restarts by the policy so far; `RestartCount` of inspect. */
  readonly count: number
  /** The last delay in milliseconds, 0 before the first. */
  readonly delay: number
}

export interface ContainerEnd {
  readonly exitCode: number
  /** Milliseconds between start and end. */
  readonly ranFor: number
  /** Stopped or killed through the API: no policy brings it back. */
  readonly stoppedByUser: boolean
}

export type RestartDecision =
  | { readonly restart: false }
  /** Wait `state.delay` milliseconds, then start. */
  | { readonly restart: true; readonly state: RestartState }

/** What to do when a container has ended: stay down, or start again after a delay that doubles each time. */
export function decideRestart(
  policy: RestartPolicy | null | undefined,
  state: RestartState,
  end: ContainerEnd,
): RestartDecision {
  if (end.stoppedByUser || !wantsRestart(policy, state.count, end.exitCode)) return { restart: false }
  const before = end.ranFor >= STABLE_RUN ? 0 : state.delay
  const delay = before === 0 ? FIRST_DELAY : Math.min(before * 2, LONGEST_DELAY)
  return { restart: true, state: { count: state.count + 1, delay } }
}

export interface BootFacts {
  readonly hasRun: boolean
  readonly stoppedByUser: boolean
  readonly exitCode: number
  readonly restartCount: number
}

/** Whether a container that is not running is started when the daemon (or the machine) comes up. */
export function startsAtBoot(policy: RestartPolicy | null | undefined, facts: BootFacts): boolean {
  if (!facts.hasRun) return false
  if (policy?.Name === 'always') return true
  return !facts.stoppedByUser && wantsRestart(policy, facts.restartCount, facts.exitCode)
}

/**
 * Whether a signal sent through the API counts as "the user stopped it". With a stop signal of its own a container may be
 * sent others without losing its policy.
 */
export function cancelsRestart(signal: number, stopSignal: string | null | undefined): boolean {
  if (!stopSignal) return true
  return signal === SIGKILL || signal === parseSignal(stopSignal)
}

function wantsRestart(
  policy: RestartPolicy | null | undefined,
  restartCount: number,
  exitCode: number,
): boolean {
  switch (policy?.Name) {
    case 'always':
    case 'unless-stopped':
      return true
    case 'on-failure': {
      const most = policy.MaximumRetryCount ?? 0
      return exitCode !== 0 && (most === 0 || restartCount < most)
    }
    default:
      return false
  }
}
