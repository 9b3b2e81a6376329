import type { ObservedContainer } from '#compose/state/observed.ts'
import { isKind } from '#base/errors.ts'
import { errorText } from '../errors.ts'
import type { ComposeContext } from './subcommand.ts'

/** Does the same to containers, all at once, and says so; returns 1 when one of them failed. */
export async function eachContainer(
  containers: readonly ObservedContainer[],
  [running, done]: readonly [string, string],
  act: (container: ObservedContainer) => Promise<void>,
  context: ComposeContext,
): Promise<number> {
  const { err, globals } = context
  const results = await Promise.all(
    containers.map(async (container) => {
      if (globals['dry-run']) {
        err(` Container ${container.name}  ${running} (dry run)\n`)
        return true
      }
      try {
        await act(container)
        if (globals.progress !== 'quiet') err(` Container ${container.name}  ${done}\n`)
        return true
      } catch (error) {
        if (isKind(error, 'not_found')) return true
        err(` Container ${container.name}  Error: ${errorText(error)}\n`)
        return false
      }
    }),
  )
  return results.every(Boolean) ? 0 : 1
}
