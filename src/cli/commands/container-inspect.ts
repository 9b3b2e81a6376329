import { command } from '../command.ts'
import { bool, string } from '../flags.ts'
import { inspectAll } from '../inspect.ts'

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
    return inspectAll(args, flags.format, context, (ref) =>
      context.client.containerQuery.inspect(ref, { size: flags.size }),
    )
  },
})
