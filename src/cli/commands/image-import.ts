import { parseReference } from '#oci/reference.ts'
import { openInput } from '../archive-input.ts'
import { command } from '../command.ts'
import { list, string } from '../flags.ts'
import { showProgress } from '../format/progress.ts'
import { platformNames } from '../platform-names.ts'

export default command({
  usage: '[OPTIONS] FILE|URL|- [REPOSITORY[:TAG]]',
  summary: 'Make an image from a tar of a filesystem',
  min: 1,
  max: 2,
  completes: 'files',
  flags: {
    change: list('Dockerfile instruction for the image', { short: 'c' }),
    message: string('Comment of the image', { short: 'm' }),
    platform: string('Platform (os[/arch[/variant]])', { completes: platformNames }),
  },
  async run({ args: [source = '', target], flags }, { client, io, signal }) {
    // Refused here already, before anything is sent.
    if (target !== undefined) parseReference(target)
    const isUrl = /^https?:\/\//.test(source)
    const body = isUrl ? undefined : source === '-' ? io.stdin : await openInput(source)
    const messages = client.images.import(isUrl ? source : '-', {
      repo: target,
      message: flags.message || undefined,
      changes: flags.change,
      platform: flags.platform || undefined,
      body,
      signal,
    })
    await showProgress(messages, io.stdout)
  },
})
