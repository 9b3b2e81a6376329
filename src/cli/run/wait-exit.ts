import type { Context } from '../command.ts'
import { errorText } from '../errors.ts'

/**
 * The exit code of a container's next end, to be asked for before it is started: resolves when the daemon has
 * registered us. With `removed` it is known only when `--rm` is done too.
 */
export async function waitExit(
  container: string,
  condition: 'next-exit' | 'removed' | 'not-running',
  { client, io }: Context,
): Promise<{ readonly code: Promise<number> }> {
  const { result } = await client.containers.wait(container, condition)
  const code = result.then(
    ({ StatusCode, Error: failure }) => {
      if (!failure?.Message) return StatusCode ?? 0
      io.stderr.write(`Error waiting for container: ${failure.Message}\n`)
      return 125
    },
    (error: unknown) => {
      io.stderr.write(`error waiting for container: ${errorText(error)}\n`)
      return 125
    },
  )
  return { code }
}
