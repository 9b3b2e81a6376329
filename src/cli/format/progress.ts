import { EngineError } from '#base/errors.ts'
import { DAEMON_ERROR } from '#client/errors.ts'
import type { ProgressMessage } from '#client/images.ts'
import type { Output } from '../io.ts'
import { printable, ProgressScreen } from './progress-screen.ts'

/**
 * Shows a progress stream: on a terminal a line per layer that changes in place, elsewhere a line per step. With no
 * `output` it is only read. Rejects with the daemon's message when the stream reports a failure. Returns what came
 * as `aux`. `watch` sees every message.
 */
export async function showProgress(
  messages: AsyncIterable<ProgressMessage>,
  output: Output | undefined,
  watch?: (message: ProgressMessage) => void,
): Promise<unknown[]> {
  using screen = output?.isTTY === true ? new ProgressScreen(output) : undefined
  const aux: unknown[] = []
  for await (const message of messages) {
    throwFailure(message)
    watch?.(message)
    if (message.aux !== undefined && message.aux !== null) aux.push(message.aux)
    else if (screen !== undefined) screen.show(message)
    else if (output !== undefined) showPlain(message, output)
  }
  return aux
}

/** Throws what a message says went wrong, in the daemon's words. */
export function throwFailure({ error, errorDetail }: ProgressMessage): void {
  const failure = errorDetail?.message ?? error
  if (failure !== undefined) throw new EngineError('internal', failure, { code: DAEMON_ERROR })
}

/** A line per step, where lines cannot change in place. */
export function showPlain({ stream, status, id, progressDetail }: ProgressMessage, output: Output): void {
  if (stream !== undefined) output.write(stream)
  // Counters would be a line each.
  else if (status !== undefined && progressDetail?.current === undefined) {
    output.write(`${id === undefined || id === '' ? '' : `${id}: `}${printable(status)}\n`)
  }
}
