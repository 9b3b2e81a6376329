import type { ContainerCreateBody } from '#client/containers.ts'
import { command, type Context } from '../command.ts'
import { createBody } from '../create/body.ts'
import { createContainer } from '../create/create-container.ts'
import { proxyVariables } from '../proxies.ts'
import { createFlags } from '../create/flags.ts'
import { commandError, errorText } from '../errors.ts'
import { bool, string } from '../flags.ts'
import { runAttached } from '../run/attached.ts'
import { DEFAULT_DETACH_KEYS } from '../run/detach-keys.ts'
import { terminalSize } from '../run/follow-size.ts'
import { proxySignals } from '../run/signal-proxy.ts'
import { startExitCode } from '../run/start-error.ts'
import { requireTerminal } from '../run/terminal-check.ts'
import { waitExit } from '../run/wait-exit.ts'

export default command({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a container and start it',
  min: 1,
  interspersed: false,
  completes: 'images',
  keepsRequests: true,
  flags: {
    ...createFlags,
    detach: bool('In the background; print the id', { short: 'd' }),
    'detach-keys': string('Keys that detach, instead of ctrl-p,ctrl-q'),
    'sig-proxy': bool('Pass signals on to the container', { initial: true }),
  },
  async run({ args, flags, changed }, context) {
    const { cwd, env } = context.io
    const fail = (error: unknown, code: number): number => {
      context.err(`berth: ${errorText(error)}\n\nRun 'berth run --help' for more information\n`)
      return code
    }
    let body, id
    try {
      body = createBody(flags, args, { cwd, env, changed, proxies: proxyVariables(context) })
    } catch (error) {
      return fail(error, 125)
    }
    // What is wrong with the terminal is no failure of the engine: exit code 1.
    prepare(body, flags.detach, flags.attach.length > 0, context)
    try {
      id = await createContainer(body, flags, context)
    } catch (error) {
      if (context.signal.aborted) throw error
      return fail(error, 125)
    }
    const keys = flags['detach-keys'] || context.config.file.detachKeys || undefined
    const options = { keys, proxy: flags['sig-proxy'] && !flags.detach }
    const outcome = await start(id, body, options, context)
    return 'error' in outcome ? fail(outcome.error, startExitCode(outcome.error)) : outcome.code
  },
})

/** What depends on whether somebody looks on. */
function prepare(body: ContainerCreateBody, detach: boolean, attaches: boolean, context: Context): void {
  if (detach && attaches) throw commandError('conflicting options: cannot specify both --attach and --detach')
  if (detach) {
    for (const field of ['AttachStdin', 'AttachStdout', 'AttachStderr', 'StdinOnce'] as const)
      delete body[field]
    return
  }
  requireTerminal(body.Tty === true && body.AttachStdin === true, context)
  const size = body.Tty === true ? terminalSize(context.io) : undefined
  if (size !== undefined) body.HostConfig = { ...body.HostConfig, ConsoleSize: [...size] }
}

type Outcome = { readonly code: number } | { readonly error: unknown }

async function start(
  id: string,
  body: ContainerCreateBody,
  options: { readonly keys: string | undefined; readonly proxy: boolean },
  context: Context,
): Promise<Outcome> {
  const { client } = context
  const stdin = body.AttachStdin === true
  const stdout = body.AttachStdout === true
  const stderr = body.AttachStderr === true
  if (!stdin && !stdout && !stderr) {
    try {
      await client.containers.start(id)
    } catch (error) {
      return { error }
    }
    context.out(`${id}\n`)
    return { code: 0 }
  }

  using _proxy = options.proxy ? proxySignals(id, context) : undefined
  const tty = body.Tty === true
  // Attached and waited for before it starts, so that neither output nor exit code can be missed.
  const connection = await client.containerStreams.attach(id, {
    stdin,
    stdout,
    stderr,
    detachKeys: options.keys,
  })
  const { code } = await waitExit(id, body.HostConfig?.AutoRemove === true ? 'removed' : 'next-exit', context)
  try {
    await client.containers.start(id)
  } catch (error) {
    connection.stream.destroy()
    if (body.HostConfig?.AutoRemove === true) await code
    return { error }
  }
  if (!stdout && !stderr) context.out(`${id}\n`)
  const session = { tty, stdin, stdout, stderr, detachKeys: options.keys ?? DEFAULT_DETACH_KEYS }
  const outcome = await runAttached({ container: id, connection, options: session, exitCode: code }, context)
  return { code: outcome.kind === 'exited' ? outcome.code : 0 }
}
