import { command } from '../command.ts'
import { bool, string } from '../flags.ts'
import { inspectAll } from '../inspect.ts'

export default command({
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  summary: 'Show everything about networks',
  min: 1,
  completes: 'networks',
  flags: {
    format: string("'json', or a Go template", { short: 'f' }),
    verbose: bool('More to look at', { short: 'v' }),
  },
  async run({ args, flags }, context) {
    const { verbose } = flags
    return inspectAll(args, flags.format, context, (ref) => context.client.networks.inspect(ref, { verbose }))
  },
})
