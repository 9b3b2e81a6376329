import { command } from '../command.ts'
import { bool } from '../flags.ts'
import { confirmed, pruneFilters, pruneFlags, pruneReport } from '../prune.ts'
import { byPlan } from '../removal-plan.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Remove volumes that no container uses: anonymous ones, with --all named ones too',
  min: 0,
  max: 0,
  flags: { ...pruneFlags, all: bool('Named volumes too', { short: 'a' }) },
  async run({ flags }, context) {
    const filters = { ...pruneFilters(flags.filter, context), ...(flags.all ? { all: ['true'] } : {}) }
    const plan = () => context.client.removalPlans.prune({ volumes: filters })
    const planned = await byPlan({ flags, plan }, context)
    if (planned !== undefined) return planned
    const warning = flags.all
      ? 'This will remove all local volumes not used by at least one container.'
      : 'This will remove anonymous local volumes not used by at least one container.'
    if (!(await confirmed(warning, flags.force, context))) return 0
    const { VolumesDeleted, SpaceReclaimed } = await context.client.volumes.prune(filters)
    context.out(pruneReport([['Deleted Volumes', VolumesDeleted ?? []]], SpaceReclaimed ?? 0))
    return 0
  },
})
