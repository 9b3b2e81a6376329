import { command } from '../command.ts'
import { confirmed, pruneFilters, pruneFlags, pruneReport } from '../prune.ts'
import { byPlan } from '../removal-plan.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Remove all stopped containers',
  min: 0,
  max: 0,
  flags: pruneFlags,
  async run({ flags }, context) {
    const filters = pruneFilters(flags.filter, context)
    const plan = () => context.client.removalPlans.prune({ containers: filters })
    const planned = await byPlan({ flags, plan }, context)
    if (planned !== undefined) return planned
    if (!(await confirmed('This will remove all stopped containers.', flags.force, context))) return 0
    const { ContainersDeleted, SpaceReclaimed } = await context.client.containers.prune(filters)
    context.out(pruneReport([['Deleted Containers', ContainersDeleted ?? []]], SpaceReclaimed ?? 0))
    return 0
  },
})
