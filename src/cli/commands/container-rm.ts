import { isKind } from '#base/errors.ts'
import { command } from '../command.ts'
import { containersToRemove } from '../containers-to-remove.ts'
import { each } from '../each.ts'
import { errorText } from '../errors.ts'
import { bool } from '../flags.ts'
import { byPlan, planFlags } from '../removal-plan.ts'

export default command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Remove containers',
  min: 1,
  completes: 'containers',
  flags: {
    ...planFlags,
    force: bool('Kill it first when it runs', { short: 'f' }),
    link: bool('Remove only this link', { short: 'l' }),
    volumes: bool('Remove its anonymous volumes too', { short: 'v' }),
  },
  async run({ args, flags }, context) {
    const plan = () => containersToRemove(args, flags, context)
    const planned = await byPlan({ flags, plan, force: flags.force }, context)
    if (planned !== undefined) return planned
    const { force, link, volumes } = flags
    return each(args, context, async (ref) => {
      const name = ref.replace(/(.)\/+$/, '$1')
      try {
        await context.client.containers.remove(name, { force, link, volumes })
      } catch (error) {
        // With --force the wish is that it is gone.
        if (!flags.force || !isKind(error, 'not_found')) throw error
        context.err(`${errorText(error)}\n`)
        return ''
      }
    })
  },
})
