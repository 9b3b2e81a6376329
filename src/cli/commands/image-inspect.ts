import { command } from '../command.ts'
import { string } from '../flags.ts'
import { inspectAll } from '../inspect.ts'
import { platformQuery } from '../platform.ts'
import { platformNames } from '../platform-names.ts'

export default command({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Show everything about images',
  min: 1,
  completes: 'images',
  flags: {
    format: string("'json', or a Go template", { short: 'f' }),
    platform: string('Show this variant (os[/arch[/variant]])', { completes: platformNames }),
  },
  async run({ args, flags }, context) {
    const platform = platformQuery(flags.platform)
    return inspectAll(args, flags.format, context, (ref) => context.client.images.inspect(ref, { platform }))
  },
})
