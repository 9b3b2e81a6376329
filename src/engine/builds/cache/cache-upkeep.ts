import type { PlannedRemoval } from '#api/prune-plan.ts'
import { statfs } from 'node:fs/promises'
import type { Clock } from '#base/clock.ts'
import { isKind } from '#base/errors.ts'
import type { SourceCaches } from '#build/sources/source-caches.ts'
import type { BuildCache } from '#store/build-cache/build-cache.ts'
import {
  automaticRules,
  type CacheItem,
  chooseForRemoval,
  type PruneRules,
} from '#store/build-cache/prune-policy.ts'
import type { Cancellable, Filters } from '../../services.ts'
import type { BuildCacheRecord, BuildPruneOptions, BuildService } from '../service.ts'
import type { CacheMounts } from '../run/cache-mounts.ts'
import { cacheFilter } from './cache-filter.ts'

export interface CacheUpkeepDeps {
  readonly cache: Pick<BuildCache, 'usage' | 'remove'>
  readonly mounts: Pick<CacheMounts, 'list' | 'remove'>
  readonly sources: Pick<SourceCaches, 'list' | 'remove'>
  readonly dataRoot: string
  readonly clock: Pick<Clock, 'now'>
  /** Bytes that the cache may keep by itself; undefined: a tenth of the disk, 10 GB at least, but not more than half of it. */
  readonly limit?: number | undefined
}

/** Milliseconds. */
const INTERVAL = 10 * 60_000

type Pruned = Awaited<ReturnType<BuildService['prune']>>

/** What builds have left: results of steps, cache mounts and files from elsewhere, seen and removed together. */
export class CacheUpkeep {
  readonly #deps: CacheUpkeepDeps
  /** When it was looked what may go by itself. */
  #collected = -Infinity

  constructor(deps: CacheUpkeepDeps) {
    this.#deps = deps
  }

  async usage(filters: Filters = new Map()): Promise<readonly BuildCacheRecord[]> {
    const matches = cacheFilter(filters, this.#now())
    const { items } = await this.#items()
    return items.filter(matches).map(recordOf)
  }

  async prune(options: BuildPruneOptions & Cancellable): Promise<Pruned> {
    return this.#remove(this.#rules(options), options.signal)
  }

  async planPrune(options: BuildPruneOptions): Promise<PlannedRemoval[]> {
    const { items } = await this.#items()
    const chosen = chooseForRemoval(items, this.#rules(options), (await this.#disk()).free)
    const byId = new Map(items.map((item) => [item.id, item]))
    return chosen.flatMap((id) => {
      const { description = '', size = 0 } = byId.get(id) ?? {}
      return [{ Kind: 'cache' as const, ID: id, Name: description, Size: size }]
    })
  }

  #rules(options: BuildPruneOptions): PruneRules {
    const { all, filters, keepStorage, reservedSpace, maxUsedSpace, minFreeSpace } = options
    return {
      all,
      matches: cacheFilter(filters, this.#now()),
      reservedSpace: reservedSpace ?? keepStorage,
      maxUsedSpace,
      minFreeSpace,
    }
  }

  /**
   * What goes by itself when there is too much: the least recently used, nothing that was used within a day or that a running
   * build has. To be called after builds, and once a day; looking at all caches takes long, so it is done now and then only.
   */
  async collect(options: Cancellable = {}): Promise<Pruned> {
    const now = this.#now()
    if (now - this.#collected < INTERVAL) return { CachesDeleted: [], SpaceReclaimed: 0 }
    this.#collected = now
    return this.#remove(automaticRules(await this.#limit(), this.#now()), options.signal)
  }

  async #remove(rules: PruneRules, signal: AbortSignal | undefined): Promise<Pruned> {
    const { cache } = this.#deps
    const { items, removers } = await this.#items()
    const ids = chooseForRemoval(items, rules, (await this.#disk()).free)
    signal?.throwIfAborted()
    const { removed, space } = await cache.remove(ids.filter((id) => !removers.has(id)))
    let SpaceReclaimed = space
    const CachesDeleted = [...removed]
    for (const id of ids) {
      const remove = removers.get(id)
      if (remove === undefined) continue
      signal?.throwIfAborted()
      try {
        SpaceReclaimed += await remove()
        CachesDeleted.push(id)
      } catch (error) {
        // A build has taken it since.
        if (!isKind(error, 'conflict')) throw error
      }
    }
    return { CachesDeleted, SpaceReclaimed }
  }

  /** With what removes those that are no results of steps; it tells how many bytes are free then. */
  async #items(): Promise<{
    readonly items: readonly CacheItem[]
    readonly removers: ReadonlyMap<string, () => Promise<number>>
  }> {
    const { cache, mounts, sources } = this.#deps
    const removers = new Map<string, () => Promise<number>>()
    const caches = (await mounts.list()).map(
      ({ key, id, size, createdAt, lastUsedAt, uses, inUse }): CacheItem => ({
        id: key,
        type: 'exec.cachemount',
        description: `cached mount ${id}`,
        parents: [],
        inUse,
        shared: false,
        size,
        createdAt: createdAt.getTime(),
        usedAt: lastUsedAt.getTime(),
        uses,
      }),
    )
    for (const { id } of caches) removers.set(id, () => mounts.remove(id))
    const fetched = (await sources.list()).map((source): CacheItem => ({
      ...source,
      parents: [],
      shared: false,
      uses: 1,
    }))
    for (const { id } of fetched) removers.set(id, () => sources.remove(id))
    return { items: [...(await cache.usage()), ...caches, ...fetched], removers }
  }

  async #limit(): Promise<number> {
    const { limit } = this.#deps
    if (limit !== undefined) return limit
    const { size } = await this.#disk()
    return Math.min(Math.max(size / 10, 10e9), size / 2)
  }

  async #disk(): Promise<{ readonly size: number; readonly free: number }> {
    const { blocks, bavail, bsize } = await statfs(this.#deps.dataRoot)
    return { size: blocks * bsize, free: bavail * bsize }
  }

  #now(): number {
    return this.#deps.clock.now().getTime()
  }
}

function recordOf(item: CacheItem): BuildCacheRecord {
  const { id, parents, type, description, inUse, shared, size, createdAt, usedAt, uses } = item
  return {
    ID: id,
    Parents: parents.length === 0 ? null : parents,
    Type: type,
    Description: description,
    InUse: inUse,
    Shared: shared,
    Size: size,
    CreatedAt: new Date(createdAt).toISOString(),
    LastUsedAt: uses === 0 ? null : new Date(usedAt).toISOString(),
    UsageCount: uses,
  }
}
