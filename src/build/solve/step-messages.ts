import type { FlightHistory } from '#base/flights.ts'

/** What is told of a step while it is done, to each build that waits for it. */
export type StepMessage =
  /** It has to be done: nothing was found. `gone`: something was, and its layer is not there any more. */
  | { readonly type: 'miss'; readonly gone: boolean }
  /** It begins: there is room for it now. */
  | { readonly type: 'begin'; readonly at: string }
  | { readonly type: 'output'; readonly stream: 1 | 2; readonly data: Uint8Array; readonly at: string }

/** Bytes of output that a build is told which comes later. */
const KEPT = 256 * 1024

/** What a build that comes later is told: what happened, and the end of the output. */
export function stepHistory(): FlightHistory<StepMessage> {
  const happened: StepMessage[] = []
  const output: Extract<StepMessage, { type: 'output' }>[] = []
  let kept = 0
  return {
    add: (message) => {
      if (message.type !== 'output') {
        happened.push(message)
        return
      }
      output.push(message)
      kept += message.data.length
      while (kept > KEPT && output.length > 1) kept -= output.shift()?.data.length ?? 0
    },
    *[Symbol.iterator]() {
      yield* happened
      yield* output
    },
  }
}
