import { bool } from '../../flags.ts'
import { commandError } from '../../errors.ts'
import { bringUp } from '../carry-out.ts'
import { subcommand } from '../subcommand.ts'
import { createFlags, imageWishesOf, parseScale, wishesOf } from '../up-flags.ts'
import { parseFlags } from '../../flags.ts'

export default subcommand({
  usage: '[OPTIONS] SERVICE=NUMBER [SERVICE=NUMBER...]',
  summary: 'Change the number of containers of services',
  min: 1,
  flags: { 'no-deps': bool('Do not start what the services need') },
  async run({ args, flags }, context) {
    const scale = parseScale(args)
    const names = Object.keys(scale)
    const project = await context.source.load(names, { dependencies: !flags['no-deps'] })
    for (const [name, count] of Object.entries(scale)) {
      if (count > 1 && project.services[name]?.container_name !== undefined) {
        throw commandError(
          `service ${JSON.stringify(name)} has a container_name, which belongs to one container; it cannot be scaled to ${count}`,
        )
      }
    }
    const { flags: defaults } = parseFlags(createFlags, [], { interspersed: true })
    const wishes = { ...wishesOf(names, { ...defaults, 'no-recreate': true }, context), scale }
    await bringUp(project, wishes, imageWishesOf(defaults, context), {}, context)
  },
})
