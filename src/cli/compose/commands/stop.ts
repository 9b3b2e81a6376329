import { planStop } from '#compose/plan/stop.ts'
import { integer } from '../../flags.ts'
import { carryOutOn } from '../carry-out.ts'
import { findContainers } from '../containers.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Stop containers, and keep them',
  flags: { timeout: integer('Seconds until a container that does not stop is killed', { short: 't' }) },
  async run({ args, flags }, context) {
    const found = await findContainers(args, context, { oneoff: args.length === 0 })
    await carryOutOn(
      found,
      planStop(found.containers, 'it is asked for'),
      { stopTimeout: flags.timeout },
      context,
    )
  },
})
