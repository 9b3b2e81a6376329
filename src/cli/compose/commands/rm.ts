import { planStop } from '#compose/plan/stop.ts'
import { isUp } from '#compose/state/observed.ts'
import { bool } from '../../flags.ts'
import { Prompt } from '../../prompt.ts'
import { carryOutOn } from '../carry-out.ts'
import { findContainers } from '../containers.ts'
import { eachContainer } from '../each-container.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Remove stopped containers',
  flags: {
    all: bool('Has no effect', { short: 'a', hidden: true }),
    force: bool('Do not ask', { short: 'f' }),
    stop: bool('Stop those that run first', { short: 's' }),
    volumes: bool('Remove their volumes without a name, too', { short: 'v' }),
  },
  async run({ args, flags }, context) {
    const found = await findContainers(args, context, { oneoff: args.length === 0 })
    if (flags.stop) await carryOutOn(found, planStop(found.containers, 'it is to be removed'), {}, context)
    const concerned = flags.stop ? found.containers : found.containers.filter((container) => !isUp(container))
    if (concerned.length === 0) {
      context.err('No stopped containers\n')
      return 0
    }
    if (!flags.force && !context.globals['dry-run']) {
      using prompt = new Prompt(context)
      const answer = await prompt.line(
        `Going to remove ${concerned.map(({ name }) => name).join(', ')}. Are you sure? [yN] `,
      )
      if (!/^y(?:es)?$/i.test(answer.trim())) return 0
    }
    const remove = { force: true, volumes: flags.volumes }
    return eachContainer(
      concerned,
      ['Removing', 'Removed'],
      ({ id }) => context.client.containers.remove(id, remove),
      context,
    )
  },
})
