import { isKind } from '#base/errors.ts'
import { command } from '../command.ts'
import { each } from '../each.ts'
import { errorText } from '../errors.ts'
import { bool } from '../flags.ts'

export default command({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Remove containers',
  min: 1,
  completes: 'containers',
  flags: {
    force: bool('Kill it first when it runs', { short: 'f' }),
    link: bool('Remove only this link', { short: 'l' }),
    volumes: bool('Remove its anonymous volumes too', { short: 'v' }),
  },
  async run({ args, flags }, context) {
    return each(args, context, async (ref) => {
      const name = ref.replace(/(.)\/+$/, '$1')
      try {
        await context.client.containers.remove(name, flags)
      } catch (error) {
        // With --force the wish is that it is gone.
        if (!flags.force || !isKind(error, 'not_found')) throw error
        context.err(`${errorText(error)}\n`)
        return ''
      }
    })
  },
})
