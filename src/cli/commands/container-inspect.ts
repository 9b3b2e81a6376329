import { command } from '../command.ts'
import { bool, string } from '../flags.ts'
import { inspectAll, olderContainer } from '../inspect.ts'
import { forms, recreate } from '../recreate/recreate.ts'

export default command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Show everything about containers',
  min: 1,
  completes: 'containers',
  flags: {
    as: string('Show what would make it again: a berth run line, or a Compose file', { completes: forms }),
    format: string("'json', or a Go template", { short: 'f' }),
    size: bool('Compute sizes', { short: 's' }),
  },
  async run({ args, flags }, context) {
    if (flags.as !== '') {
      context.out(await recreate(args, flags.as, context))
      return 0
    }
    const find = (ref: string): Promise<unknown> =>
      context.client.containerQuery.inspect(ref, { size: flags.size })
    return inspectAll(args, flags.format, context, find, (ref) => olderContainer(ref, context))
  },
})
