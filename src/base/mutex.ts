/**
 * Mutual exclusion per key. Acquiring waits for earlier holders in order; disposing the lock lets
 * the next one in. A waiter that is aborted leaves the queue.
 */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>()

  async acquire(
    key: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Disposable> {
    const before = this.#tails.get(key) ?? Promise.resolve()
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    // Who has left is forgotten as well, once those before are through.
    const tail = before
      .then(() => released)
      .then(() => {
        if (this.#tails.get(key) === tail) this.#tails.delete(key)
      })
    this.#tails.set(key, tail)

    try {
      await abortable(before, options.signal)
    } catch (error) {
      release()
      throw error
    }
    return { [Symbol.dispose]: release }
  }
}

/** `promise`, or a rejection with the signal's reason as soon as it is aborted. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (signal.aborted) {
    // Nobody waits for it any more.
    promise.catch(() => undefined)
    throw signal.reason
  }
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
