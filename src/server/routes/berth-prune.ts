import type { BuildPruneOptions } from '#engine/builds/service.ts'
import type { Engine, Filters } from '#engine/services.ts'
import { planPrune } from '#engine/system/prune-plan.ts'
import { parseFilters } from '#api/filters.ts'
import type { Query } from '../query.ts'
import { json } from '../reply.ts'
import { route, type Route } from '../route.ts'
import { pruneFilters as cacheKeys } from './build.ts'
import { pruneFilters as imageKeys } from './images.ts'

/** What prunes and removals of images would remove; nothing is removed. */
export function berthPruneRoutes(
  engine: Pick<Engine, 'lifecycle' | 'networks' | 'volumes' | 'images' | 'builds'>,
): readonly Route[] {
  return [
    route({
      operation: 'BerthPrunePlan',
      method: 'GET',
      path: '/berth/prune-plan',
      async handle({ query }) {
        // A kind that is not named is left alone; the value is what its own prune has as `filters`.
        const filters = (name: string, keys: readonly string[]): Filters | undefined => {
          const text = query.text(name)
          return text === undefined ? undefined : parseFilters(text, keys)
        }
        const objects = ['until', 'label', 'label!']
        const Items = await planPrune(
          {
            containers: filters('containers', objects),
            networks: filters('networks', objects),
            volumes: filters('volumes', ['all', 'label', 'label!']),
            images: filters('images', imageKeys),
            cache: cacheOptions(query, filters('cache', cacheKeys)),
          },
          engine,
        )
        return json({ Items })
      },
    }),
    route({
      operation: 'BerthImageRemovalPlan',
      method: 'GET',
      path: '/berth/image-removal-plan',
      async handle({ query }) {
        const options = { force: query.flag('force'), noprune: query.flag('noprune') }
        return json({ Items: await engine.images.planRemove(query.list('ref'), options) })
      },
    }),
  ]
}

function cacheOptions(query: Query, filters: Filters | undefined): BuildPruneOptions | undefined {
  if (filters === undefined) return undefined
  return {
    all: query.flag('all'),
    filters,
    keepStorage: undefined,
    reservedSpace: query.integer('reserved-space'),
    maxUsedSpace: query.integer('max-used-space'),
    minFreeSpace: query.integer('min-free-space'),
  }
}
