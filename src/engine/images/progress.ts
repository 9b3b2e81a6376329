import type { ProgressMessage } from '../services.ts'

export type Report = (message: ProgressMessage) => void

/**
 * Runs `work` and yields what it reports. Of several progress messages about the same thing that nobody has read
 * yet only the last is kept. When the reader goes away, `work` is aborted, and waited for: it has cleaned up by then.
 */
export async function* reporting<Message extends ProgressMessage = ProgressMessage>(
  work: (report: (message: Message) => void, signal: AbortSignal) => Promise<void>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<Message> {
  const gone = new AbortController()
  const signal = options.signal === undefined ? gone.signal : AbortSignal.any([options.signal, gone.signal])
  const waiting: Message[] = []
  let wake = Promise.withResolvers<void>()
  let finished = false

  const report = (message: Message): void => {
    const at = isCurrent(message) ? waiting.findLastIndex((other) => other.id === message.id) : -1
    if (at !== -1 && isCurrent(waiting[at]!)) waiting[at] = message
    else waiting.push(message)
    wake.resolve()
  }
  // Settled, not awaited: a failure while nobody reads is kept until the reader is here again.
  const outcome = Promise.allSettled([work(report, signal)]).then(([result]) => {
    finished = true
    wake.resolve()
    return result
  })
  try {
    for (;;) {
      yield* waiting.splice(0)
      if (waiting.length > 0) continue
      if (finished) break
      await wake.promise
      wake = Promise.withResolvers<void>()
    }
    const result = await outcome
    if (result.status === 'rejected') throw result.reason
  } finally {
    gone.abort(new Error('the client has gone'))
    await outcome
  }
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
