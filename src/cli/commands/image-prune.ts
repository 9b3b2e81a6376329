import { command } from '../command.ts'
import { bool } from '../flags.ts'
import { deletedLines } from '../image-deletions.ts'
import { confirmed, pruneFilters, pruneFlags, pruneReport } from '../prune.ts'

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
    const warning = flags.all
      ? 'This will remove all images without at least one container associated to them.'
      : 'This will remove all dangling images.'
    if (!(await confirmed(warning, flags.force, context))) return
    const filters = { ...pruneFilters(flags.filter, context), dangling: [String(!flags.all)] }
    const { ImagesDeleted, SpaceReclaimed } = await context.client.images.prune(filters)
    context.out(pruneReport([['Deleted Images', deletedLines(ImagesDeleted ?? [])]], SpaceReclaimed ?? 0))
  },
})
