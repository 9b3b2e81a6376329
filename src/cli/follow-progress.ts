import type { ProgressMessage } from '#client/images.ts'
import type { Context } from './command.ts'
import { showProgress } from './format/progress.ts'
import { ProgressTally } from './format/progress-tally.ts'
import type { Output } from './io.ts'

/** Shows a pull or push; whoever interrupts it is told how much of it is kept. Returns what came as `aux`. */
export async function followProgress(
  messages: AsyncIterable<ProgressMessage>,
  { output, verb }: { readonly output: Output | undefined; readonly verb: 'pull' | 'push' },
  { signal, err }: Pick<Context, 'signal' | 'err'>,
): Promise<unknown[]> {
  const tally = new ProgressTally()
  try {
    return await showProgress(messages, output, (message) => tally.add(message))
  } catch (error) {
    if (signal.aborted) err(`${tally.afterInterrupt(verb)}\n`)
    throw error
  }
}
