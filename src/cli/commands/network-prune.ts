import { command } from '../command.ts'
import { confirmed, pruneFilters, pruneFlags, pruneReport } from '../prune.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Remove all networks that no running container is on',
  min: 0,
  max: 0,
  flags: pruneFlags,
  async run({ flags }, context) {
    const warning = 'This will remove all custom networks not used by at least one container.'
    if (!(await confirmed(warning, flags.force, context))) return
    const { NetworksDeleted } = await context.client.networks.prune(pruneFilters(flags.filter, context))
    context.out(pruneReport([['Deleted Networks', NetworksDeleted ?? []]]))
  },
})
