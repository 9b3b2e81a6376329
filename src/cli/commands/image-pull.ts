import { formatReference, parseReference, withDefaultTag } from '#oci/reference.ts'
import { command } from '../command.ts'
import { commandError } from '../errors.ts'
import { bool, string } from '../flags.ts'
import { pullImage } from '../pull.ts'
import { platformNames } from '../platform-names.ts'

export default command({
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  summary: 'Fetch an image from a registry',
  min: 1,
  max: 1,
  completes: 'images',
  flags: {
    'all-tags': bool('Every tag of the repository', { short: 'a' }),
    'disable-content-trust': bool('Has no effect', { hidden: true, initial: true }),
    platform: string('Platform (os[/arch[/variant]])', { completes: platformNames }),
    quiet: bool('No progress', { short: 'q' }),
  },
  async run({ args: [name = ''], flags }, context) {
    const { io } = context
    const given = parseReference(name)
    const allTags = flags['all-tags']
    if (allTags && (given.tag ?? given.digest) !== undefined) {
      throw commandError("tag can't be used with --all-tags/-a")
    }
    const reference = allTags ? given : withDefaultTag(given)
    if (reference !== given && !flags.quiet) context.out(`Using default tag: ${reference.tag}\n`)
    const platform = flags.platform || io.env['DOCKER_DEFAULT_PLATFORM'] || undefined
    await pullImage(name, { platform, quiet: flags.quiet, to: io.stdout, allTags }, context)
    context.out(`${formatReference(reference)}\n`)
  },
})
