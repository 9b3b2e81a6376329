import { findContainers } from '../containers.ts'
import { eachContainer } from '../each-container.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[SERVICE...]',
  summary: 'Let frozen containers go on',
  flags: {},
  async run({ args }, context) {
    const { containers } = await findContainers(args, context)
    const concerned = containers.filter(({ status }) => status === 'paused')
    return eachContainer(
      concerned,
      ['Unpausing', 'Unpaused'],
      ({ id }) => context.client.containers.unpause(id),
      context,
    )
  },
})
