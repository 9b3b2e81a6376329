import { command } from '../command.ts'
import { eachInTurn } from '../each.ts'
import { stopFlags, stopOptions } from '../stop-flags.ts'

export default command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Stop containers and start them again',
  min: 1,
  completes: 'containers',
  flags: stopFlags,
  async run({ args, flags }, context) {
    return eachInTurn(args, context, (ref) => context.client.containers.restart(ref, stopOptions(flags)))
  },
})
