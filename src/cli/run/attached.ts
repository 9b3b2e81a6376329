import type { Context } from '../command.ts'
import type { Hijacked } from '#client/transport.ts'
import { followSize } from './follow-size.ts'
import { runSession, type SessionOptions } from './stream-session.ts'

export interface Attached {
  readonly container: string
  readonly connection: Hijacked
  readonly options: SessionOptions
  /** The exit code, once the container has ended. */
  readonly exitCode: Promise<number>
}

/** What became of a session: the container's exit code, or the person left it running. */
export type Outcome = { readonly kind: 'exited'; readonly code: number } | { readonly kind: 'detached' }

/** Carries bytes between this process and a running container until it ends or the person detaches. */
export async function runAttached(
  { container, connection, options, exitCode }: Attached,
  context: Context,
): Promise<Outcome> {
  const { client, io } = context
  using _size = options.tty
    ? followSize(io, (rows, columns) => client.containerStreams.resize(container, rows, columns))
    : undefined
  const { detached } = await runSession(connection.stream, io, options)
  if (detached && (await isRunning(container, context))) {
    io.stderr.write('read escape sequence\n')
    return { kind: 'detached' }
  }
  return { kind: 'exited', code: await exitCode }
}

/** Asked only after the keys to detach: they may have been the last thing typed before it ended. */
async function isRunning(container: string, { client }: Context): Promise<boolean> {
  const { State } = await client.containerQuery.inspect(container)
  return State?.Running === true
}
