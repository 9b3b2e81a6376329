import type { Context } from '../command.ts'
import { runAttached } from './attached.ts'
import { DEFAULT_DETACH_KEYS } from './detach-keys.ts'
import { proxySignals } from './signal-proxy.ts'
import { requireTerminal } from './terminal-check.ts'
import { waitExit } from './wait-exit.ts'

export interface StartOptions {
  readonly stdin: boolean
  readonly output: boolean
  readonly detachKeys: string | undefined
}

/** Starts a container that exists, with its streams attached; returns its exit code. */
export async function attachAndStart(ref: string, options: StartOptions, context: Context): Promise<number> {
  const { client } = context
  const { Id, Config, HostConfig } = await client.containerQuery.inspect(ref)
  const container = Id ?? ref
  const tty = Config?.Tty === true
  const stdin = options.stdin && Config?.OpenStdin === true
  const { detachKeys } = options
  requireTerminal(tty && stdin, context)

  using _proxy = options.output && !tty ? proxySignals(container, context) : undefined
  const connection = await client.containerStreams.attach(container, {
    stdin,
    stdout: true,
    stderr: true,
    detachKeys,
  })
  const { code } = await waitExit(
    container,
    HostConfig?.AutoRemove === true ? 'removed' : 'next-exit',
    context,
  )
  try {
    await client.containers.start(container)
  } catch (error) {
    connection.stream.destroy()
    throw error
  }
  const sessionOptions = {
    tty,
    stdin,
    stdout: true,
    stderr: true,
    detachKeys: detachKeys ?? DEFAULT_DETACH_KEYS,
  }
  const outcome = await runAttached(
    { container, connection, options: sessionOptions, exitCode: code },
    context,
  )
  return outcome.kind === 'exited' ? outcome.code : 0
}
