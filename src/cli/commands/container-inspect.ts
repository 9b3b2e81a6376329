import { command } from '../command.ts'
import { bool, string } from '../flags.ts'
import { inspectAll, olderContainer } from '../inspect.ts'

export default command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Show everything about containers',
  min: 1,
  completes: 'containers',
  flags: {
    format: string("'json', or a Go template", { short: 'f' }),
    size: bool('Compute sizes', { short: 's' }),
  },
  async run({ args, flags }, context) {
    const find = (ref: string): Promise<unknown> =>
      context.client.containerQuery.inspect(ref, { size: flags.size })
    return inspectAll(args, flags.format, context, find, (ref) => olderContainer(ref, context))
  },
})
