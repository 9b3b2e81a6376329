import { bringUp } from '../carry-out.ts'
import { subcommand } from '../subcommand.ts'
import { createFlags, imageWishesOf, wishesOf } from '../up-flags.ts'

export default subcommand({
  usage: '[OPTIONS] [SERVICE...]',
  summary: 'Make containers without starting them',
  flags: createFlags,
  async run({ args, flags }, context) {
    const project = await context.source.load(args)
    await bringUp(
      project,
      { ...wishesOf(args, flags, context), starts: false },
      imageWishesOf(flags, context),
      {},
      context,
    )
  },
})
