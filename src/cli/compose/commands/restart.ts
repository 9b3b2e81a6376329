import { planRestart } from '#compose/plan/stop.ts'
import { bool, integer } from '../../flags.ts'
import { carryOutOn } from '../carry-out.ts'
import { findContainers } from '../containers.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Stop containers and start them again',
  flags: {
    'no-deps': bool('Not those that want to be restarted together with them'),
    timeout: integer('Seconds until a container that does not stop is killed', { short: 't' }),
  },
  async run({ args, flags }, context) {
    await findContainers(args, context)
    const found = await findContainers([], context)
    const plan = planRestart(found.project, found.containers, args, { dependencies: !flags['no-deps'] })
    await carryOutOn(found, plan, { stopTimeout: flags.timeout }, context)
  },
})
