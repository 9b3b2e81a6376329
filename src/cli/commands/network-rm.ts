import { command } from '../command.ts'
import { isKind } from '#base/errors.ts'
import { eachInTurn } from '../each.ts'
import { bool } from '../flags.ts'

export default command({
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  summary: 'Remove networks that no running container is on',
  min: 1,
  completes: 'networks',
  flags: { force: bool('Missing ones are no error', { short: 'f' }) },
  async run({ args, flags }, context) {
    return eachInTurn(args, context, async (ref) => {
      try {
        await context.client.networks.remove(ref)
      } catch (error) {
        if (flags.force && isKind(error, 'not_found')) return ''
        throw error
      }
      return ref
    })
  },
})
