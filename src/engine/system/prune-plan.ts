import type { PlannedRemoval } from '#api/prune-plan.ts'
import type { BuildPruneOptions } from '../builds/service.ts'
import type { Engine, Filters } from '../services.ts'

/** The kinds to prune, each with the filters of its own prune; what is absent is left alone. */
export interface PruneWishes {
  readonly containers?: Filters | undefined
  readonly networks?: Filters | undefined
  readonly volumes?: Filters | undefined
  readonly images?: Filters | undefined
  readonly cache?: BuildPruneOptions | undefined
}

/** What prunes of these kinds, one after the other, would remove: what only pruned containers use goes, too. */
export async function planPrune(
  wishes: PruneWishes,
  {
    lifecycle,
    networks,
    volumes,
    images,
    builds,
  }: Pick<Engine, 'lifecycle' | 'networks' | 'volumes' | 'images' | 'builds'>,
): Promise<PlannedRemoval[]> {
  const containers = wishes.containers === undefined ? [] : await lifecycle.planPrune(wishes.containers)
  const gone = new Set(containers.map(({ ID }) => ID))
  return [
    ...containers,
    ...(wishes.networks === undefined ? [] : await networks.planPrune(wishes.networks)),
    ...(wishes.volumes === undefined ? [] : await volumes.planPrune(wishes.volumes, gone)),
    ...(wishes.images === undefined ? [] : await images.planPrune(wishes.images, gone)),
    ...(wishes.cache === undefined ? [] : await builds.planPrune(wishes.cache)),
  ]
}
