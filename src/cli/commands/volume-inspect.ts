import { command } from '../command.ts'
import { string } from '../flags.ts'
import { inspectAll } from '../inspect.ts'

export default command({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Show everything about volumes',
  min: 1,
  completes: 'volumes',
  flags: { format: string("'json', or a Go template", { short: 'f' }) },
  async run({ args, flags }, context) {
    return inspectAll(args, flags.format, context, (name) => context.client.volumes.inspect(name))
  },
})
