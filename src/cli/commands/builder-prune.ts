import { command } from '../command.ts'
import { bool, bytes, string } from '../flags.ts'
import { confirmed, pruneFilters, pruneFlags, pruneReport } from '../prune.ts'
import { byPlan } from '../removal-plan.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Remove what is in the build cache',
  min: 0,
  max: 0,
  flags: {
    ...pruneFlags,
    all: bool('Everything that no build is using, not only what nothing refers to', { short: 'a' }),
    builder: string('Has no effect', { hidden: true }),
    debug: bool('Has no effect', { short: 'D', hidden: true }),
    'keep-storage': bytes('Older name of --reserved-space', { hidden: true }),
    'max-used-space': bytes('Remove until no more than this is used'),
    'min-free-space': bytes('Remove until so much of the disk is free'),
    'reserved-space': bytes('Always keep so much'),
    verbose: bool('Has no effect', { hidden: true }),
  },
  async run({ flags }, context) {
    const options = {
      all: flags.all,
      filters: pruneFilters(flags.filter, context),
      reservedSpace: flags['reserved-space'] ?? flags['keep-storage'],
      maxUsedSpace: flags['max-used-space'],
      minFreeSpace: flags['min-free-space'],
    }
    const plan = () => context.client.removalPlans.prune({ cache: options })
    const planned = await byPlan({ flags, plan }, context)
    if (planned !== undefined) return planned
    const warning = flags.all
      ? 'This will remove all build cache.'
      : 'This will remove all dangling build cache.'
    if (!(await confirmed(warning, flags.force, context))) return 0
    const { CachesDeleted, SpaceReclaimed } = await context.client.builds.prune(options)
    context.out(pruneReport([['Deleted build cache objects', CachesDeleted ?? []]], SpaceReclaimed ?? 0))
    return 0
  },
})
