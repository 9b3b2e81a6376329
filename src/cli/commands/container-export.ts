import { command } from '../command.ts'
import { string } from '../flags.ts'
import { writeArchive } from '../archive-output.ts'

export default command({
  usage: '[OPTIONS] CONTAINER',
  summary: "Write a container's filesystem as a tar archive, without its volumes",
  min: 1,
  max: 1,
  completes: 'containers',
  flags: { output: string('File to write instead of stdout', { short: 'o', completes: 'files' }) },
  async run({ args: [ref = ''], flags }, context) {
    const { client, signal } = context
    await writeArchive(flags.output, context, () => client.containerFiles.export(ref, { signal }))
  },
})
