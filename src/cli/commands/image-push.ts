import { formatReference, parseReference, repositoryOf, withDefaultTag } from '#oci/reference.ts'
import { command, type Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { bool, string } from '../flags.ts'
import { followProgress } from '../follow-progress.ts'
import { platformNames } from '../platform-names.ts'
import { platformQuery } from '../platform.ts'
import { ANONYMOUS, registryAuth } from '../registry-auth.ts'

export default command({
  usage: '[OPTIONS] NAME[:TAG]',
  summary: 'Send an image to a registry',
  min: 1,
  max: 1,
  completes: 'images',
  flags: {
    'all-tags': bool('Every tag of the repository', { short: 'a' }),
    'disable-content-trust': bool('Has no effect', { hidden: true, initial: true }),
    platform: string('Only this variant, as an image of its own (os[/arch[/variant]])', {
      completes: platformNames,
    }),
    quiet: bool('No progress; print the name', { short: 'q' }),
  },
  async run({ args: [name = ''], flags }, context) {
    const { client, io, signal } = context
    const given = parseReference(name)
    if (given.digest !== undefined) throw commandError('cannot push a digest reference; push a tag')
    const allTags = flags['all-tags']
    if (allTags && given.tag !== undefined) throw commandError("tag can't be used with --all-tags/-a")
    const reference = allTags ? given : withDefaultTag(given)
    if (reference !== given && !flags.quiet) context.out(`Using default tag: ${reference.tag}\n`)
    const platform = platformQuery(flags.platform || io.env['DOCKER_DEFAULT_PLATFORM'] || '')
    const auth = (await registryAuth(reference, context)) ?? ANONYMOUS
    const messages = client.images.push(repositoryOf(reference), {
      tag: reference.tag ?? '',
      platform,
      auth,
      signal,
    })
    const progress = { output: flags.quiet ? undefined : io.stdout, verb: 'push' } as const
    const aux = await followProgress(messages, progress, context)
    if (!flags.quiet) return
    for (const each of aux) sayWhatElse(each, context)
    context.out(`${allTags ? repositoryOf(reference) : formatReference(reference)}\n`)
  },
})

/** An index of which not everything is here goes as the one image that is: not to be missed, however quiet. */
function sayWhatElse(aux: unknown, { err }: Context): void {
  if (typeof aux !== 'object' || aux === null || !('manifestPushedInsteadOfIndex' in aux)) return
  const { selectedManifest } = aux as { selectedManifest?: { digest?: string } }
  err(
    `Not all platforms of the image are here: only ${selectedManifest?.digest ?? 'one of them'} was pushed. Pull the others, or name one with --platform.\n`,
  )
}
