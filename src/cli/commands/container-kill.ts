import { command } from '../command.ts'
import { each } from '../each.ts'
import { string } from '../flags.ts'

export default command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Send a signal to containers, SIGKILL when none is named',
  min: 1,
  completes: 'running',
  flags: { signal: string('Name or number of the signal', { short: 's' }) },
  async run({ args, flags }, context) {
    return each(args, context, (ref) => context.client.containers.kill(ref, flags.signal || undefined))
  },
})
