import { command } from '../command.ts'
import { each } from '../each.ts'

export default command({
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Freeze all processes of containers',
  min: 1,
  completes: 'running',
  flags: {},
  async run({ args }, context) {
    return each(args, context, (ref) => context.client.containers.pause(ref))
  },
})
