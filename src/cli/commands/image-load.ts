import { command } from '../command.ts'
import { commandError } from '../errors.ts'
import { bool, list, string } from '../flags.ts'
import { showProgress } from '../format/progress.ts'
import { openInput } from '../archive-input.ts'
import { platformQueries } from '../platform.ts'
import { platformNames } from '../platform-names.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Load images from a tar archive (of docker save, or an OCI layout)',
  min: 0,
  max: 0,
  flags: {
    input: string('File to read instead of stdin', { short: 'i', completes: 'files' }),
    platform: list('Only this variant (os[/arch[/variant]])', {
      type: 'stringSlice',
      completes: platformNames,
    }),
    quiet: bool('No progress', { short: 'q' }),
  },
  async run({ flags }, { client, io, signal }) {
    if (flags.input === '' && io.stdin.isTTY === true) {
      throw commandError('requested load from stdin, but stdin is empty; use -i FILE or redirect an archive')
    }
    const archive = flags.input === '' ? io.stdin : await openInput(flags.input)
    const quiet = flags.quiet || io.stdout.isTTY !== true
    const messages = client.images.load(archive, {
      quiet,
      platforms: platformQueries(flags.platform),
      signal,
    })
    await showProgress(messages, io.stdout)
  },
})
