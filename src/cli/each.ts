import type { Context } from './command.ts'
import { errorText } from './errors.ts'

const AT_ONCE = 50

/** What is seen of it, and by whom it may be ended. */
type Shown = Pick<Context, 'out' | 'err' | 'signal'>

/** What is done to one reference: the text to print, the reference itself when it is undefined; empty is nothing to print. */
type Act = (ref: string) => Promise<string | void>

/**
 * Does the same for every reference, up to 50 at once, and prints each result as soon as those before it are printed.
 * Failures go to stderr; the exit code is 1 when there was one.
 */
export async function each(refs: readonly string[], context: Shown, act: Act): Promise<number> {
  let failures = 0
  for (let from = 0; from < refs.length; from += AT_ONCE) {
    const some = refs.slice(from, from + AT_ONCE)
    const pending = some.map((ref) => Promise.allSettled([act(ref)]))
    for (const [i, one] of pending.entries()) {
      const [result] = await one
      failures += show(some[i] ?? '', result, context)
    }
  }
  return failures === 0 ? 0 : 1
}

/** As `each`, one after the other: for what may need the one before it, such as a container in another one's network. */
export async function eachInTurn(refs: readonly string[], context: Shown, act: Act): Promise<number> {
  let failures = 0
  for (const ref of refs) {
    context.signal.throwIfAborted()
    const [result] = await Promise.allSettled([act(ref)])
    failures += show(ref, result, context)
  }
  return failures === 0 ? 0 : 1
}

/** Prints one result; returns how many failures it is. */
function show(ref: string, result: PromiseSettledResult<string | void>, context: Shown): 0 | 1 {
  if (result.status === 'rejected') {
    // Given up, and so are those after it.
    if (context.signal.aborted) throw result.reason
    context.err(`${errorText(result.reason)}\n`)
    return 1
  }
  const text = result.value ?? ref
  if (text !== '') context.out(`${text}\n`)
  return 0
}
