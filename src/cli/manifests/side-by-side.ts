import { Slots } from '#base/slots.ts'

const AT_ONCE = 8

/** Does the same for all, several at once; the results are in the order of `items`. A failure ends the others, and is thrown. */
export async function sideBySide<T, R>(
  items: readonly T[],
  signal: AbortSignal,
  act: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const slots = new Slots(AT_ONCE)
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const one = async (item: T): Promise<R> => {
    try {
      using _place = await slots.acquire({ signal: either })
      return await act(item, either)
    } catch (error) {
      failed.abort(error)
      throw error
    }
  }
  // All of them are waited for: nothing goes on behind the back of whoever reports the failure.
  const settled = await Promise.allSettled(items.map(one))
  failed.signal.throwIfAborted()
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}
