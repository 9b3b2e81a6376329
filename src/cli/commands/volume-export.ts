import { command } from '../command.ts'
import { string } from '../flags.ts'
import { writeArchive } from '../archive-output.ts'

export default command({
  usage: '[OPTIONS] VOLUME',
  summary: 'Write what is in a volume as a tar archive',
  min: 1,
  max: 1,
  completes: 'volumes',
  flags: { output: string('File to write instead of stdout', { short: 'o', completes: 'files' }) },
  async run({ args: [name = ''], flags }, context) {
    const { client, signal } = context
    await writeArchive(flags.output, context, () => client.volumes.export(name, { signal }))
  },
})
