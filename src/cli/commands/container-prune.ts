import { command } from '../command.ts'
import { confirmed, pruneFilters, pruneFlags, pruneReport } from '../prune.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Remove all stopped containers',
  min: 0,
  max: 0,
  flags: pruneFlags,
  async run({ flags }, context) {
    if (!(await confirmed('This will remove all stopped containers.', flags.force, context))) return
    const { ContainersDeleted, SpaceReclaimed } = await context.client.containers.prune(
      pruneFilters(flags.filter, context),
    )
    context.out(pruneReport([['Deleted Containers', ContainersDeleted ?? []]], SpaceReclaimed ?? 0))
  },
})
