import { isKind } from '#base/errors.ts'
import type { Filters } from '#client/filters.ts'
import { command, type Context } from '../command.ts'
import { bool } from '../flags.ts'
import { deletedLines } from '../image-deletions.ts'
import { confirmed, pruneFilters, pruneFlags, pruneReport } from '../prune.ts'

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
    if (!(await confirmed(warning(all, volumes), flags.force, context))) return
    await prune({ all, volumes, filters: pruneFilters(flags.filter, context) }, context)
  },
})

function warning(all: boolean, volumes: boolean): string {
  const what = [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
  ]
  return `This will remove:\n${what.map((line) => `  - ${line}\n`).join('')}`
}

async function prune(
  { all, volumes, filters }: { readonly all: boolean; readonly volumes: boolean; readonly filters: Filters },
  { client, out }: Context,
): Promise<void> {
  // Containers first: only then are their networks, volumes and images free.
  const containers = await client.containers.prune(filters)
  const networks = await optional(client.networks.prune(filters))
  const removedVolumes = volumes ? await client.volumes.prune(withoutUntil(filters)) : undefined
  const images = await client.images.prune({ ...filters, dangling: [String(!all)] })
  const bytes = [containers, removedVolumes, images].reduce(
    (sum, each) => sum + (each?.SpaceReclaimed ?? 0),
    0,
  )
  out(
    pruneReport(
      [
        ['Deleted Containers', containers.ContainersDeleted ?? []],
        ['Deleted Networks', networks?.NetworksDeleted ?? []],
        ['Deleted Volumes', removedVolumes?.VolumesDeleted ?? []],
        ['Deleted Images', deletedLines(images.ImagesDeleted ?? [])],
      ],
      bytes,
    ),
  )
}

/** Volumes have no age that a filter could be about. */
function withoutUntil({ until: _until, ...others }: Filters): Filters {
  return others
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
