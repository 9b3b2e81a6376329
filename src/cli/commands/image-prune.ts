import { command } from '../command.ts'
import { bool } from '../flags.ts'
import { deletedLines } from '../image-deletions.ts'
import { confirmed, pruneFilters, pruneFlags, pruneReport } from '../prune.ts'
import { byPlan } from '../removal-plan.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Remove unused images',
  min: 0,
  max: 0,
  flags: {
    ...pruneFlags,
    all: bool('Every image that no container uses, not only untagged ones', { short: 'a' }),
  },
  async run({ flags }, context) {
    const filters = { ...pruneFilters(flags.filter, context), dangling: [String(!flags.all)] }
    const plan = () => context.client.removalPlans.prune({ images: filters })
    const planned = await byPlan({ flags, plan }, context)
    if (planned !== undefined) return planned
    const warning = flags.all
      ? 'This will remove all images without at least one container associated to them.'
      : 'This will remove all dangling images.'
    if (!(await confirmed(warning, flags.force, context))) return 0
    const { ImagesDeleted, SpaceReclaimed } = await context.client.images.prune(filters)
    context.out(pruneReport([['Deleted Images', deletedLines(ImagesDeleted ?? [])]], SpaceReclaimed ?? 0))
    return 0
  },
})
