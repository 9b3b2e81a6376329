import attachCommand from '../../commands/container-attach.ts'
import { bool, integer, string } from '../../flags.ts'
import { findContainer } from '../containers.ts'
import { delegate, switchOf, valuesOf } from '../delegate.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] SERVICE',
  summary: 'Connect this terminal to a container of a service',
  min: 1,
  max: 1,
  flags: {
    'detach-keys': string('Keys that detach, instead of ctrl-p,ctrl-q'),
    index: integer('Number of the container, if there are several'),
    'no-stdin': bool('Do not connect stdin'),
    'sig-proxy': bool('Pass signals on to the container', { initial: true }),
  },
  async run({ args: [service = ''], flags }, context) {
    const { id } = await findContainer(service, flags.index, context, { running: true })
    const proxy = `--sig-proxy=${flags['sig-proxy']}`
    return delegate(
      attachCommand,
      [
        ...valuesOf('detach-keys', flags['detach-keys']),
        ...switchOf('no-stdin', flags['no-stdin']),
        proxy,
        id,
      ],
      context,
    )
  },
})
