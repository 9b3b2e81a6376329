import type { Caller, RequestRow } from '#store/requests.ts'

/** Nanoseconds by which an event may come after the request for it was answered. */
const LATE = 1_000_000_000n
/** Clocks of events count in milliseconds. */
const EARLY = 10_000_000n

/** The request that was being served at that time. */
export function during(
  asked: readonly RequestRow[],
  operations: readonly string[],
  time: bigint,
): RequestRow | undefined {
  return asked.find(
    ({ operation, begun, ended }) =>
      operations.includes(operation) && begun - EARLY <= time && time <= ended + LATE,
  )
}

/** `root with docker (pid 7)`, `CN=ci from 10.0.0.1`, … */
export function callerText(caller: Caller): string {
  switch (caller.kind) {
    case 'unix': {
      const who = caller.user ?? `uid ${caller.uid}`
      return caller.command === undefined
        ? `${who} (pid ${caller.pid})`
        : `${who} with ${caller.command} (pid ${caller.pid})`
    }
    case 'tls':
      return `CN=${caller.subject} from ${caller.address}`
    case 'tcp':
      return `somebody at ${caller.address}`
    case 'unknown':
      return 'somebody'
  }
}
