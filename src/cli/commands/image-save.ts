import { writeArchive } from '../archive-output.ts'
import { command } from '../command.ts'
import { list, string } from '../flags.ts'
import { platformQueries } from '../platform.ts'
import { platformNames } from '../platform-names.ts'

export default command({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Write images, with their names, into a tar archive',
  min: 1,
  completes: 'images',
  flags: {
    output: string('File to write instead of stdout', { short: 'o', completes: 'files' }),
    platform: list('Only this variant (os[/arch[/variant]])', {
      type: 'stringSlice',
      completes: platformNames,
    }),
  },
  async run({ args, flags }, context) {
    const platforms = platformQueries(flags.platform)
    const { client, signal } = context
    await writeArchive(flags.output, context, () => client.images.save(args, { platforms, signal }))
  },
})
