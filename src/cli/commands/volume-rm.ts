import { command } from '../command.ts'
import { each } from '../each.ts'
import { bool } from '../flags.ts'

export default command({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Remove volumes that no container uses',
  min: 1,
  completes: 'volumes',
  flags: { force: bool('Missing ones are no error', { short: 'f' }) },
  async run({ args, flags }, context) {
    return each(args, context, (name) => context.client.volumes.remove(name, flags))
  },
})
