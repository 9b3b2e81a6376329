import { command, type Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { bool, string } from '../flags.ts'
import { runAttached } from '../run/attached.ts'
import { DEFAULT_DETACH_KEYS } from '../run/detach-keys.ts'
import { terminalSize } from '../run/follow-size.ts'
import { proxySignals } from '../run/signal-proxy.ts'
import { requireTerminal } from '../run/terminal-check.ts'
import { waitExit } from '../run/wait-exit.ts'

export default command({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Connect this terminal to a running container',
  min: 1,
  max: 1,
  completes: 'running',
  keepsRequests: true,
  flags: {
    'detach-keys': string('Keys that detach, instead of ctrl-p,ctrl-q'),
    'no-stdin': bool('Do not connect stdin'),
    'sig-proxy': bool('Pass signals on to the container', { initial: true }),
  },
  async run({ args: [ref = ''], flags }, context) {
    const { client, config } = context
    const { Id, State, Config } = await client.containerQuery.inspect(ref)
    if (State?.Paused === true)
      throw commandError('You cannot attach to a paused container, unpause it first')
    if (State?.Restarting === true) {
      throw commandError('You cannot attach to a restarting container, wait until it is running')
    }
    if (State?.Running !== true)
      throw commandError('You cannot attach to a stopped container, start it first')

    const container = Id ?? ref
    const tty = Config?.Tty === true
    const stdin = !flags['no-stdin'] && Config?.OpenStdin === true
    const detachKeys = flags['detach-keys'] || config.file.detachKeys || undefined
    requireTerminal(tty && stdin, context)

    using _proxy = flags['sig-proxy'] && !tty ? proxySignals(container, context) : undefined
    const { code } = await waitExit(container, 'not-running', context)
    const connection = await client.containerStreams.attach(container, {
      stdin,
      stdout: true,
      stderr: true,
      detachKeys,
    })
    if (tty) await drawAnew(container, context)
    const options = { tty, stdin, stdout: true, stderr: true, detachKeys: detachKeys ?? DEFAULT_DETACH_KEYS }
    const outcome = await runAttached({ container, connection, options, exitCode: code }, context)
    return outcome.kind === 'exited' ? outcome.code : 1
  },
})

/** A program draws its screen again when its terminal changes: so a prompt shows although the size is that of the last time. */
async function drawAnew(container: string, { client, io }: Context): Promise<void> {
  const size = terminalSize(io)
  if (size === undefined) return
  const [rows, columns] = size
  // It may have ended; the session then says so.
  await client.containerStreams.resize(container, rows + 1, columns + 1).catch(() => undefined)
}
