import { isUp } from '#compose/state/observed.ts'
import { bool, string } from '../../flags.ts'
import { findContainers } from '../containers.ts'
import { eachContainer } from '../each-container.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Send a signal to containers',
  flags: {
    'remove-orphans': bool('Those of services that the files do not have, too'),
    signal: string('Which signal', { short: 's', initial: 'SIGKILL' }),
  },
  async run({ args, flags }, context) {
    const { containers, project } = await findContainers(args, context)
    const concerned = containers
      .filter(isUp)
      .filter(
        ({ service }) =>
          project === undefined ||
          flags['remove-orphans'] ||
          Object.hasOwn({ ...project.services, ...project.disabled }, service),
      )
    if (concerned.length === 0) context.err('no container to kill\n')
    return eachContainer(
      concerned,
      ['Killing', 'Killed'],
      ({ id }) => context.client.containers.kill(id, flags.signal),
      context,
    )
  },
})
