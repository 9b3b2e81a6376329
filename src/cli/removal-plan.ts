import { hash } from 'node:crypto'
import type { PlannedRemoval } from '#api/prune-plan.ts'
import { isKind } from '#base/errors.ts'
import { shortId } from '#base/ids.ts'
import type { Context } from './command.ts'
import { commandError, errorText } from './errors.ts'
import { bool, string } from './flags.ts'
import { alignColumns } from './format/table.ts'
import { humanSize } from './format/units.ts'

/** For every command that removes what it chooses by itself, or what is hard to get back. */
export const planFlags = {
  'dry-run': bool('Only show what would be removed, and a token for it'),
  token: string('Remove exactly what --dry-run showed together with this token, or nothing', {
    type: 'token',
  }),
} as const

interface Wanted {
  readonly flags: { readonly 'dry-run': boolean; readonly token: string }
  readonly plan: () => Promise<readonly PlannedRemoval[]>
  /** Containers that run are killed, and names of images go despite stopped containers. */
  readonly force?: boolean
  readonly noPrune?: boolean
}

/**
 * Shows what would be removed, or removes what was shown, and returns the exit code; undefined: neither was asked for.
 * What is removed with a token is what its plan names, object by object, and never more.
 */
export async function byPlan(wanted: Wanted, context: Context): Promise<number | undefined> {
  const { 'dry-run': dryRun, token } = wanted.flags
  if (!dryRun && token === '') return undefined
  if (dryRun && token !== '') throw commandError('conflicting options: --dry-run shows, --token removes')
  const items = await wanted.plan()
  if (dryRun) {
    context.out(planText(items))
    return 0
  }
  if (token !== tokenOf(items)) {
    throw commandError(
      `nothing was removed: token ${token} is for something else than what there is to remove now; look again with --dry-run`,
    )
  }
  return carryOut(items, wanted, context)
}

/** Sizes change by themselves, and are no part of it. */
function tokenOf(items: readonly PlannedRemoval[]): string {
  const text = JSON.stringify(items.map(({ Kind, ID, Name }) => [Kind, ID, Name]))
  return hash('sha256', text).slice(0, 16)
}

function planText(items: readonly PlannedRemoval[]): string {
  if (items.length === 0) return 'Nothing would be removed.\n'
  const rows = items.map(({ Kind, ID, Name, Size }) => {
    const id = Kind === 'volume' ? '' : shortId(ID)
    return [Kind, id, Name, Size === undefined || Kind === 'network' ? '' : humanSize(Size)].join('\t')
  })
  const known = items.reduce((sum, { Size = 0 }) => sum + Size, 0)
  const table = alignColumns(['TYPE\tID\tNAME\tSIZE', ...rows, ''].join('\n'))
  const images = items.some(({ Kind }) => Kind === 'image') ? ', and what only these images have' : ''
  return `${table}
This would free ${humanSize(known)}${images}. To remove exactly this, use --token ${tokenOf(items)} instead of --dry-run.
`
}

async function carryOut(
  items: readonly PlannedRemoval[],
  { force = false, noPrune = false }: Pick<Wanted, 'force' | 'noPrune'>,
  context: Context,
): Promise<number> {
  let failures = 0
  for (const item of items) {
    context.signal.throwIfAborted()
    const name = item.Name === '' ? item.ID : item.Name
    try {
      await removeOne(item, { force, noPrune }, context)
      if (item.Kind !== 'layer') context.out(`${item.Kind} ${name}\n`)
    } catch (error) {
      // Somebody has taken it into use since it was looked at: it stays, and so does what was not shown.
      failures += 1
      context.err(`${item.Kind} ${name} stays: ${errorText(error)}\n`)
    }
  }
  return failures === 0 ? 0 : 1
}

async function removeOne(
  { Kind, ID, Name }: PlannedRemoval,
  options: { readonly force: boolean; readonly noPrune: boolean },
  { client }: Context,
): Promise<void> {
  switch (Kind) {
    case 'container':
      return client.containers.remove(ID, { force: options.force })
    case 'network':
      return client.networks.remove(ID)
    case 'volume':
      return client.volumes.remove(ID)
    case 'cache':
      await client.system.pruneBuildCache({ all: true, filters: { id: [ID] } })
      return
    case 'layer':
      return
    case 'name':
    case 'image':
      return gone(client.images.remove(Kind === 'name' ? Name : ID, options))
  }
}

/** An image goes with its last name, and digests with their tag: what is gone by then is as it was to be. */
async function gone(removal: Promise<unknown>): Promise<void> {
  try {
    await removal
  } catch (error) {
    if (!isKind(error, 'not_found')) throw error
  }
}
