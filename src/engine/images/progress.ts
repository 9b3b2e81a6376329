import { produced } from '#base/produced.ts'
import type { ProgressMessage } from '../services.ts'

export type Report = (message: ProgressMessage) => void

/**
 * Runs `work` and yields what it reports, as `produced()` does. Of several progress messages about the same thing that
 * nobody has read yet only the last is kept.
 */
export function reporting<Message extends ProgressMessage = ProgressMessage>(
  work: (report: (message: Message) => void, signal: AbortSignal) => Promise<void>,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<Message> {
  return produced(work, {
    signal,
    passing: { about: ({ id }) => id, is: isCurrent },
  })
}

/** Says how far something is, so that a later message replaces it. */
function isCurrent(message: ProgressMessage): boolean {
  return message.id !== undefined && message.progressDetail?.current !== undefined
}

/** Passes `source` on and reports how much of it has gone by: about a hundred times, and at the end. */
export async function* reportingBytes(
  source: AsyncIterable<Uint8Array>,
  report: (current: number) => void,
  total: number,
): AsyncGenerator<Uint8Array> {
  const step = Math.max(total / 100, 1 << 18)
  let current = 0
  let reported = 0
  for await (const chunk of source) {
    yield chunk
    current += chunk.length
    if (current - reported < step) continue
    reported = current
    report(current)
  }
  if (current !== reported || current === 0) report(current)
}
