import { bool } from '../../flags.ts'
import { bringUp } from '../carry-out.ts'
import { subcommand } from '../subcommand.ts'
import { convergeFlags, imageWishesOf, wishesOf } from '../up-flags.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Make and start what the files describe',
  flags: {
    ...convergeFlags,
    detach: bool('In the background', { short: 'd' }),
  },
  async run({ args, flags }, context) {
    const project = await context.source.load(args, { dependencies: !flags['no-deps'] })
    await bringUp(
      project,
      wishesOf(args, flags, context),
      imageWishesOf(flags, context),
      { stopTimeout: flags.timeout },
      context,
    )
  },
})
