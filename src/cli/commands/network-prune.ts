import { command } from '../command.ts'
import { confirmed, pruneFilters, pruneFlags, pruneReport } from '../prune.ts'
import { byPlan } from '../removal-plan.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Remove all networks that no running container is on',
  min: 0,
  max: 0,
  flags: pruneFlags,
  async run({ flags }, context) {
    const filters = pruneFilters(flags.filter, context)
    const plan = () => context.client.removalPlans.prune({ networks: filters })
    const planned = await byPlan({ flags, plan }, context)
    if (planned !== undefined) return planned
    const warning = 'This will remove all custom networks not used by at least one container.'
    if (!(await confirmed(warning, flags.force, context))) return 0
    const { NetworksDeleted } = await context.client.networks.prune(filters)
    context.out(pruneReport([['Deleted Networks', NetworksDeleted ?? []]]))
    return 0
  },
})
