import { isKind } from '#base/errors.ts'
import type { Filters } from '#client/filters.ts'
import { command, type Context } from '../command.ts'
import { commandError } from '../errors.ts'
import { bool } from '../flags.ts'
import { deletedLines } from '../image-deletions.ts'
import { confirmed, pruneFilters, pruneFlags, pruneReport } from '../prune.ts'
import { byPlan } from '../removal-plan.ts'

export default command({
  usage: '[OPTIONS]',
  summary: 'Remove everything that is not used',
  min: 0,
  max: 0,
  flags: {
    ...pruneFlags,
    all: bool('Every image that no container uses, not only untagged ones', { short: 'a' }),
    volumes: bool('Anonymous volumes too'),
  },
  async run({ flags }, context) {
    const { all, volumes } = flags
    const filters = pruneFilters(flags.filter, context)
    if (volumes && filters['until'] !== undefined) {
      throw commandError(
        'the "until" filter does not go with "--volumes": nobody knows when a volume was last used; leave one of them out',
      )
    }
    const plan = () =>
      context.client.removalPlans.prune({
        containers: filters,
        networks: filters,
        ...(volumes ? { volumes: filters } : {}),
        images: { ...filters, dangling: [String(!all)] },
        cache: { all, filters },
      })
    const planned = await byPlan({ flags, plan }, context)
    if (planned !== undefined) return planned
    if (!(await confirmed(warning(all, volumes, filters), flags.force, context))) return 0
    await prune({ all, volumes, filters }, context)
    return 0
  },
})

function warning(all: boolean, volumes: boolean, filters: Filters): string {
  const what = [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
    all ? 'all build cache' : 'unused build cache',
  ]
  const wanted = Object.entries(filters).flatMap(([key, values]) => values.map((value) => `${key}=${value}`))
  const list = (lines: readonly string[]): string => lines.map((line) => `  - ${line}\n`).join('')
  const only = wanted.length === 0 ? '' : `\nItems to be pruned will be filtered with:\n${list(wanted)}`
  return `This will remove:\n${list(what)}${only}`
}

async function prune(
  { all, volumes, filters }: { readonly all: boolean; readonly volumes: boolean; readonly filters: Filters },
  { client, out }: Context,
): Promise<void> {
  let bytes = 0
  // Said at once: what comes later may fail.
  const report = (
    title: string,
    items: readonly string[] | null | undefined,
    freed?: number | null,
  ): void => {
    out(pruneReport([[title, items ?? []]]))
    bytes += freed ?? 0
  }
  // Containers first: only then are their networks, volumes and images free.
  const containers = await client.containers.prune(filters)
  report('Deleted Containers', containers.ContainersDeleted, containers.SpaceReclaimed)
  const networks = await optional(client.networks.prune(filters))
  report('Deleted Networks', networks?.NetworksDeleted)
  if (volumes) {
    const { VolumesDeleted, SpaceReclaimed } = await client.volumes.prune(filters)
    report('Deleted Volumes', VolumesDeleted, SpaceReclaimed)
  }
  const images = await client.images.prune({ ...filters, dangling: [String(!all)] })
  report('Deleted Images', deletedLines(images.ImagesDeleted ?? []), images.SpaceReclaimed)
  const cache = await optional(client.system.pruneBuildCache({ all, filters }))
  report('Deleted build cache objects', cache?.CachesDeleted, cache?.SpaceReclaimed)
  out(pruneReport([], bytes))
}

/** Undefined when the daemon cannot do it. */
async function optional<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request
  } catch (error) {
    if (isKind(error, 'not_found') || isKind(error, 'not_implemented')) return undefined
    throw error
  }
}
