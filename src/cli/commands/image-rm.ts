import { isKind } from '#base/errors.ts'
import { command } from '../command.ts'
import { commandError, errorText } from '../errors.ts'
import { bool, list } from '../flags.ts'
import { deletedLines } from '../image-deletions.ts'
import { platformQueries } from '../platform.ts'
import { platformNames } from '../platform-names.ts'
import { byPlan, planFlags } from '../removal-plan.ts'

export default command({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Remove images, or only names of them',
  min: 1,
  completes: 'images',
  flags: {
    ...planFlags,
    force: bool('Remove it despite other names and stopped containers', { short: 'f' }),
    'no-prune': bool('Keep untagged parents'),
    platform: list('Remove only this variant; needs --force', {
      type: 'stringSlice',
      completes: platformNames,
    }),
  },
  async run({ args, flags }, context) {
    const { force, 'no-prune': noPrune, platform } = flags
    const plan = async () => {
      if (platform.length > 0) throw commandError('--dry-run and --token do not go with --platform')
      return context.client.removalPlans.images(args, { force, noPrune })
    }
    const planned = await byPlan({ flags, plan, force, noPrune }, context)
    if (planned !== undefined) return planned
    let failed = false
    for (const ref of args) {
      try {
        const items = await context.client.images.remove(ref, {
          force: flags.force,
          noPrune: flags['no-prune'],
          platforms: platformQueries(flags.platform),
        })
        for (const line of deletedLines(items, true)) context.out(`${line}\n`)
      } catch (error) {
        failed ||= !flags.force || !isKind(error, 'not_found')
        context.err(`${errorText(error)}\n`)
      }
    }
    return failed ? 1 : 0
  },
})
