import { pipeline } from 'node:stream/promises'
import { command } from '../command.ts'
import { parseSide, type Side } from '../copy/paths.ts'
import { copyToContainer, streamToContainer } from '../copy/to-container.ts'
import { copyToHost, openInside, type CopyOptions } from '../copy/to-host.ts'
import { commandError } from '../errors.ts'
import { bool } from '../flags.ts'
import { humanSize } from '../format/units.ts'
import type { Context } from '../command.ts'

export default command({
  usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-   (or SRC_PATH|- CONTAINER:DEST_PATH)',
  summary: "Copy files between a container and this host; '-' is a tar archive on stdin or stdout",
  min: 2,
  max: 2,
  completes: 'files',
  flags: {
    archive: bool('Keep owner and group', { short: 'a' }),
    'follow-link': bool('Copy what a symlink leads to', { short: 'L' }),
    quiet: bool('Say nothing', { short: 'q' }),
  },
  async run({ args: [sourceText = '', targetText = ''], flags, changed }, context) {
    const source = parseSide(sourceText)
    const target = parseSide(targetText)
    const options = { archive: flags.archive, followLink: flags['follow-link'] }
    const bytes = await copy(source, target, options, context)
    const quiet = changed.has('quiet') ? flags.quiet : context.io.stderr.isTTY !== true
    if (!quiet && bytes !== undefined) {
      context.err(`Successfully copied ${humanSize(bytes, 3)} to ${targetText}\n`)
    }
  },
})

/** The bytes of the files; undefined when an archive was passed through. */
async function copy(
  source: Side,
  target: Side,
  options: CopyOptions,
  context: Context,
): Promise<number | undefined> {
  if (source.kind === 'container' && target.kind === 'container') {
    throw commandError('copying between containers is not supported; copy to this host first')
  }
  if (source.kind === 'container') {
    if (target.kind === 'local') return copyToHost(source, target.path, options, context)
    const { tar } = await openInside(source, options, context)
    await pipeline(tar, context.io.stdout, { end: false })
    return undefined
  }
  if (target.kind !== 'container') {
    throw commandError('must specify at least one container source or destination, as CONTAINER:PATH')
  }
  if (source.kind === 'local') return copyToContainer(source.path, target, options, context)
  await streamToContainer(target, options, context)
  return undefined
}
