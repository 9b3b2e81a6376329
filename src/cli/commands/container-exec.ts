import { addAbortListener } from 'node:events'
import type { ExecCreateBody } from '#client/execs.ts'
import { command, type Context } from '../command.ts'
import { environment, readKeyValues } from '../create/key-values.ts'
import { bool, list, string } from '../flags.ts'
import { DEFAULT_DETACH_KEYS } from '../run/detach-keys.ts'
import { followSize, terminalSize } from '../run/follow-size.ts'
import { runSession } from '../run/stream-session.ts'
import { requireTerminal } from '../run/terminal-check.ts'

export default command({
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  summary: 'Run another process in a running container',
  min: 2,
  interspersed: false,
  completes: 'running',
  flags: {
    detach: bool('In the background', { short: 'd' }),
    'detach-keys': string('Keys that detach, instead of ctrl-p,ctrl-q'),
    env: list('Environment variable (KEY=value, or KEY to pass it on)', { short: 'e' }),
    'env-file': list('File with environment variables', { completes: 'files' }),
    interactive: bool('Keep stdin open', { short: 'i' }),
    privileged: bool('All privileges'),
    tty: bool('With a terminal', { short: 't' }),
    user: string('User (name|uid[:group|gid])', { short: 'u' }),
    workdir: string('Working directory', { short: 'w' }),
  },
  async run({ args: [ref = '', ...words], flags }, context) {
    const { client, io, config } = context
    const { detach, tty, interactive } = flags
    const detachKeys = flags['detach-keys'] || config.file.detachKeys
    const env = environment(readKeyValues(flags['env-file'], flags.env, io.env), io.env)
    const size = tty && !detach ? terminalSize(io) : undefined
    const body: ExecCreateBody = {
      AttachStdin: interactive && !detach,
      AttachStdout: !detach,
      AttachStderr: !detach,
      Cmd: words,
      Tty: tty,
      ...(size === undefined ? {} : { ConsoleSize: [...size] }),
      ...(detachKeys === undefined || detachKeys === '' ? {} : { DetachKeys: detachKeys }),
      ...(env.length === 0 ? {} : { Env: env }),
      ...(flags.privileged ? { Privileged: true } : {}),
      ...(flags.user === '' ? {} : { User: flags.user }),
      ...(flags.workdir === '' ? {} : { WorkingDir: flags.workdir }),
    }
    if (!detach) requireTerminal(tty && interactive, context)

    const { Id = '' } = await client.execs.create(ref, body)
    if (detach) {
      await client.execs.startDetached(Id ?? '', { tty })
      return 0
    }
    return attachExec(
      Id ?? '',
      { tty, stdin: interactive, detachKeys: detachKeys || DEFAULT_DETACH_KEYS },
      context,
    )
  },
})

async function attachExec(
  id: string,
  options: { readonly tty: boolean; readonly stdin: boolean; readonly detachKeys: string },
  { client, io, signal }: Context,
): Promise<number> {
  const { tty } = options
  const { stream } = await client.execs.start(id, { tty, consoleSize: tty ? terminalSize(io) : undefined })
  using _size = tty ? followSize(io, (rows, columns) => client.execs.resize(id, rows, columns)) : undefined
  // The process in the container goes on, as it does when the person detaches.
  using _leave = addAbortListener(signal, () => stream.destroy())
  const { detached } = await runSession(stream, io, { ...options, stdout: true, stderr: true })
  signal.throwIfAborted()
  const { Running, ExitCode } = await client.execs.inspect(id)
  if (detached && Running === true) {
    io.stderr.write('read escape sequence\n')
    return 1
  }
  return ExitCode ?? 0
}
