import { findContainers } from '../containers.ts'
import { eachContainer } from '../each-container.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[SERVICE...]',
  summary: 'Freeze all processes of containers',
  flags: {},
  async run({ args }, context) {
    const { containers } = await findContainers(args, context)
    const concerned = containers.filter(({ status }) => status === 'running')
    return eachContainer(
      concerned,
      ['Pausing', 'Paused'],
      ({ id }) => context.client.containers.pause(id),
      context,
    )
  },
})
