import { command } from '../command.ts'
import { each } from '../each.ts'
import { stopFlags, stopOptions } from '../stop-flags.ts'

export default command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Stop containers: a signal first, SIGKILL when that does not help',
  min: 1,
  completes: 'running',
  flags: stopFlags,
  async run({ args, flags }, context) {
    return each(args, context, async (ref) => {
      await context.client.containers.stop(ref, stopOptions(flags))
    })
  },
})
