import { parseReference, repositoryOf, withDefaultTag } from '#oci/reference.ts'
import { command } from '../command.ts'
import { bool, list, string } from '../flags.ts'

export default command({
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  summary: 'Make an image from what a container changed',
  min: 1,
  max: 2,
  completes: 'containers',
  flags: {
    author: string('Author of the image', { short: 'a' }),
    change: list('Dockerfile instruction for the image', { short: 'c' }),
    message: string('Comment of the image', { short: 'm' }),
    'no-pause': bool('Let it run on meanwhile'),
    pause: bool('Freeze it meanwhile', { short: 'p', initial: true, hidden: true }),
  },
  async run({ args: [ref = '', target], flags }, { client, out }) {
    const reference = target === undefined ? undefined : withDefaultTag(parseReference(target))
    const { Id } = await client.containerFiles.commit(ref, {
      repo: reference === undefined ? undefined : repositoryOf(reference),
      tag: reference?.tag,
      comment: flags.message || undefined,
      author: flags.author || undefined,
      pause: flags.pause && !flags['no-pause'],
      changes: flags.change,
    })
    out(`${Id}\n`)
  },
})
