export interface ProducedOptions<Item> {
  readonly signal?: AbortSignal | undefined
  /** For items that a later one makes worthless. */
  readonly passing?: {
    /** What the item is about. */
    readonly about: (item: Item) => string | undefined
    /** Nobody needs it when the next one about the same comes. */
    readonly is: (item: Item) => boolean
  }
}

/**
 * Runs `work` and yields what it produces. When the reader goes away, `work` is aborted, and waited for: it has cleaned up
 * by then. A failure of `work` comes after all that it produced.
 */
export async function* produced<Item>(
  work: (produce: (item: Item) => void, signal: AbortSignal) => Promise<void>,
  options: ProducedOptions<Item> = {},
): AsyncGenerator<Item> {
  const { passing } = options
  const gone = new AbortController()
  const signal = options.signal === undefined ? gone.signal : AbortSignal.any([options.signal, gone.signal])
  const waiting: Item[] = []
  let wake = Promise.withResolvers<void>()
  let finished = false

  const lastAbout = (subject: string | undefined): number =>
    waiting.findLastIndex((other) => passing?.about(other) === subject)
  const produce = (item: Item): void => {
    const at = passing?.is(item) === true ? lastAbout(passing.about(item)) : -1
    if (at !== -1 && passing?.is(waiting[at]!) === true) waiting[at] = item
    else waiting.push(item)
    wake.resolve()
  }
  // Settled, not awaited: a failure while nobody reads is kept until the reader is here again.
  const outcome = Promise.allSettled([work(produce, signal)]).then(([result]) => {
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
