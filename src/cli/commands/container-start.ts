import { attachAndStart } from '../run/start-attached.ts'
import { command } from '../command.ts'
import { eachInTurn } from '../each.ts'
import { commandError } from '../errors.ts'
import { bool, string } from '../flags.ts'

export default command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Start stopped containers',
  min: 1,
  completes: 'containers',
  keepsRequests: true,
  flags: {
    attach: bool('Show the output, and pass signals on', { short: 'a' }),
    'detach-keys': string('Keys that detach, instead of ctrl-p,ctrl-q'),
    interactive: bool('Connect stdin', { short: 'i' }),
    checkpoint: string('Restore from this checkpoint', { hidden: true }),
    'checkpoint-dir': string('Where checkpoints are', { hidden: true }),
  },
  async run({ args, flags }, context) {
    if (flags.checkpoint !== '') {
      throw commandError(
        'cannot start from a checkpoint: checkpoints are not supported; leave --checkpoint out',
      )
    }
    const { attach, interactive } = flags
    if (!attach && !interactive) {
      return eachInTurn(args, context, async (ref) => {
        await context.client.containers.start(ref)
      })
    }
    const [ref] = args
    if (ref === undefined || args.length > 1) {
      throw commandError('you cannot start and attach multiple containers at once')
    }
    const keys = flags['detach-keys'] || context.config.file.detachKeys
    return attachAndStart(ref, { stdin: interactive, output: attach, detachKeys: keys || undefined }, context)
  },
})
