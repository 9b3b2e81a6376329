import type { Context } from './command.ts'
import { errorText } from './errors.ts'

const AT_ONCE = 50

/**
 * Does the same for every reference, up to 50 at once, and prints the results in the order given: what `act` returns,
 * or the reference itself; an empty text is nothing to print. Failures go to stderr; the exit code is 1 when there was one.
 */
export async function each(
  refs: readonly string[],
  context: Context,
  act: (ref: string) => Promise<string | void>,
): Promise<number> {
  let failures = 0
  for (let from = 0; from < refs.length; from += AT_ONCE) {
    const some = refs.slice(from, from + AT_ONCE)
    const results = await Promise.allSettled(some.map((ref) => act(ref)))
    results.forEach((result, i) => {
      if (result.status === 'fulfilled') {
        const text = result.value ?? some[i]
        if (text !== '') context.out(`${text}\n`)
      } else {
        failures += 1
        context.err(`${errorText(result.reason)}\n`)
      }
    })
  }
  return failures === 0 ? 0 : 1
}
