import statsCommand from '../../commands/container-stats.ts'
import { isUp } from '#compose/state/observed.ts'
import { bool, string } from '../../flags.ts'
import { findContainers } from '../containers.ts'
import { delegate, switchOf, valuesOf } from '../delegate.ts'
import { subcommand } from '../subcommand.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE]',
  summary: 'Show how much containers use',
  flags: {
    all: bool('Those that do not run, too', { short: 'a' }),
    format: string("'table', 'table TEMPLATE', 'json', or a Go template"),
    'no-stream': bool('Only once'),
    'no-trunc': bool('Show values in full'),
  },
  async run({ args, flags }, context) {
    const { containers } = await findContainers(args, context)
    const ids = containers.filter((container) => flags.all || isUp(container)).map(({ id }) => id)
    if (ids.length === 0) return 0
    const argv = [
      ...switchOf('no-stream', flags['no-stream']),
      ...switchOf('no-trunc', flags['no-trunc']),
      ...valuesOf('format', flags.format),
      ...ids,
    ]
    return delegate(statsCommand, argv, context)
  },
})
