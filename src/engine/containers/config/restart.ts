import type { RestartPolicy } from '#api/generated/types.ts'
import { parseSignal } from './signals.ts'

const FIRST_DELAY = 100
const LONGEST_DELAY = 60_000
/** A run that lasted this long was a success: the back-off begins anew. */
const STABLE_RUN = 10_000
const SIGKILL = 9

/** A container's end, and what is remembered from the ends before it. */
export interface ContainerEnd {
  readonly policy: RestartPolicy | null | undefined
  readonly exitCode: number
  /** Restarts by the policy since the last start by hand; `RestartCount` of inspect. */
  readonly restartCount: number
  /** Stopped or killed through the API: no policy brings it back. */
  readonly stoppedByHand: boolean
  /** Milliseconds between start and end. */
  readonly ranForMs: number
  /** The delay decided last time; 0 when there was none since the last start by hand. */
  readonly lastDelayMs: number
}

export type RestartDecision =
  | { readonly restart: false }
  | { readonly restart: true; readonly delayMs: number }

/** What to do when a container has ended: stay down, or start again after a delay that doubles each time. */
export function decideRestart(end: ContainerEnd): RestartDecision {
  if (end.stoppedByHand || !wantsRestart(end)) return { restart: false }
  const before = end.ranForMs >= STABLE_RUN ? 0 : end.lastDelayMs
  return { restart: true, delayMs: before === 0 ? FIRST_DELAY : Math.min(before * 2, LONGEST_DELAY) }
}

/** Whether a container that has run before is started when the daemon (or the machine) comes up. */
export function startsAtBoot(
  end: Pick<ContainerEnd, 'policy' | 'exitCode' | 'restartCount' | 'stoppedByHand'>,
): boolean {
  if (end.policy?.Name === 'always') return true
  return !end.stoppedByHand && wantsRestart(end)
}

/**
 * Whether a signal sent through the API counts as "the user stopped it". With a stop signal of its own a container may be
 * sent others without losing its policy.
 */
export function cancelsRestart(signal: number, stopSignal: string | null | undefined): boolean {
  if (!stopSignal) return true
  return signal === SIGKILL || signal === parseSignal(stopSignal)
}

function wantsRestart({
  policy,
  exitCode,
  restartCount,
}: Pick<ContainerEnd, 'policy' | 'exitCode' | 'restartCount'>): boolean {
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
